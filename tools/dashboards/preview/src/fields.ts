// Grafana's field configuration: its standard properties and each panel
// type's own, registered as Grafana registers them, with its defaults.

import {
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  FieldConfigOptionsRegistry,
  FieldConfigPropertyItem,
  FieldConfigSource,
  fieldMatchers,
  fieldReducers,
  identityOverrideProcessor,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  thresholdsOverrideProcessor,
  ThresholdsMode,
} from '@grafana/data';
import { fail, Panel, panelName, panelTypes } from './model';

type Process = FieldConfigPropertyItem['process'];

const property = (path: string, process: unknown = identityOverrideProcessor, isCustom = false) =>
  ({
    id: isCustom ? `custom.${path}` : path,
    path,
    name: path,
    isCustom,
    process: process as Process,
    shouldApply: () => true,
    settings: { expandTemplateVars: path === 'displayName' },
  }) as unknown as FieldConfigPropertyItem;

const standardProperties = () => [
  property('displayName', displayNameOverrideProcessor),
  property('thresholds', thresholdsOverrideProcessor),
  property('links', dataLinksOverrideProcessor),
  ...['unit', 'min', 'max', 'decimals', 'fieldMinMax', 'color', 'mappings', 'noValue', 'filterable', 'description'].map((path) =>
    property(path)
  ),
];

/** Must run before any data is looked at. */
export function registerGrafana() {
  standardFieldConfigEditorRegistry.setInit(standardProperties);
  standardTransformersRegistry.setInit(() =>
    [...new Set(Object.values(standardTransformers))].map(
      (transformation) =>
        ({ id: transformation.id, name: transformation.name, transformation: async () => transformation }) as any
    )
  );
}

export function fieldRegistry(panel: Panel): FieldConfigOptionsRegistry {
  const custom = panelTypes[panel.type].custom.map((path) => property(path, identityOverrideProcessor, true));
  return new FieldConfigOptionsRegistry(() => [...standardProperties(), ...custom]);
}

const customDefaults: Record<string, Record<string, unknown>> = {
  table: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false },
  timeseries: {
    drawStyle: 'line',
    lineInterpolation: 'linear',
    lineWidth: 1,
    fillOpacity: 0,
    gradientMode: 'none',
    spanNulls: false,
    insertNulls: false,
    showPoints: 'auto',
    pointSize: 5,
    barAlignment: 0,
    barWidthFactor: 0.6,
    stacking: { mode: 'none', group: 'A' },
    axisPlacement: 'auto',
    axisLabel: '',
    axisColorMode: 'text',
    axisBorderShow: false,
    axisCenteredZero: false,
    scaleDistribution: { type: 'linear' },
    hideFrom: { tooltip: false, viz: false, legend: false },
    thresholdsStyle: { mode: 'off' },
  },
};

/** The panel's field configuration with Grafana's defaults where it is silent. */
export function fieldConfigOf(panel: Panel): FieldConfigSource {
  const source = structuredClone(panel.fieldConfig ?? { defaults: {}, overrides: [] });
  source.overrides = (source.overrides ?? []).filter((rule) => rule.properties);
  const thresholds = source.defaults.thresholds ?? {
    mode: ThresholdsMode.Absolute,
    steps: [{ value: -Infinity, color: 'green' }, { value: 80, color: 'red' }],
  };
  const overridden = source.overrides.flatMap((rule) => rule.properties).filter((p) => p.id === 'thresholds');
  // JSON has no -Infinity: the base step says null there.
  [thresholds, ...overridden.map((p) => p.value)].forEach((t) =>
    t.steps.forEach((step: { value: number | null }) => (step.value ??= -Infinity))
  );
  const { reduceOptions, legend } = panel.options ?? {};
  [...(reduceOptions?.calcs ?? []), ...(legend?.calcs ?? [])]
    .filter((calc) => !fieldReducers.getIfExists(calc))
    .forEach((calc) => fail(panelName(panel), `the calculation ${calc} is not supported`));
  for (const rule of source.overrides) {
    if (!fieldMatchers.getIfExists(rule.matcher.id)) {
      fail(panelName(panel), `the override matcher ${rule.matcher.id} is not supported`);
    }
  }
  return {
    overrides: source.overrides,
    defaults: {
      ...source.defaults,
      thresholds,
      color: source.defaults.color ?? ({ mode: panel.type === 'timeseries' ? 'palette-classic' : 'thresholds' } as any),
      mappings: source.defaults.mappings ?? [],
      custom: { ...customDefaults[panel.type], ...source.defaults.custom },
    },
  };
}
