// The part of Grafana's Classic dashboard JSON that the preview draws, and
// the means to say so when a dashboard uses anything else.

import { DataFrame, FieldConfigSource, TimeRange } from '@grafana/data';

export interface Target {
  refId: string;
  expr: string;
  format?: 'table' | 'time_series';
  instant?: boolean;
  range?: boolean;
  interval?: string;
  legendFormat?: string;
  hide?: boolean;
}

export interface Panel {
  id?: number;
  type: string;
  title?: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
  transformations?: Array<{ id: string; options: unknown; disabled?: boolean; filter?: unknown }>;
  fieldConfig?: FieldConfigSource;
  options?: Record<string, any>;
  links?: unknown[];
  transparent?: boolean;
  interval?: string;
  maxDataPoints?: number | null;
  timeFrom?: string;
  hideTimeOverride?: boolean;
  collapsed?: boolean;
  panels?: Panel[];
}

export interface VariableModel {
  name: string;
  type: string;
  label?: string;
  query?: any;
  regex?: string;
  sort?: number;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  hide?: number;
  current?: { text?: unknown; value?: unknown };
}

export interface AnnotationModel {
  name: string;
  enable?: boolean;
  hide?: boolean;
  builtIn?: number;
  expr?: string;
  step?: string;
  iconColor?: string;
}

export interface DashboardLink {
  title: string;
  type: string;
  url?: string;
  tags?: string[];
  icon?: string;
  asDropdown?: boolean;
}

export interface Dashboard {
  uid: string;
  title: string;
  tags?: string[];
  timezone?: string;
  time: { from: string; to: string };
  refresh?: string;
  links?: DashboardLink[];
  templating?: { list: VariableModel[] };
  annotations?: { list: AnnotationModel[] };
  panels: Panel[];
}

/** What render.mjs asks of the page. */
export interface Job {
  dashboard: Dashboard;
  /** All dashboards given, for links by tag. */
  siblings: Array<{ uid: string; title: string; tags: string[] }>;
  theme: 'dark' | 'light';
  width: number;
  /** Values chosen on the command line, by variable name. */
  chosen: Record<string, string[]>;
}

/** A panel with its data, ready to be drawn. */
export interface Drawable {
  panel: Panel;
  width: number;
  height: number;
  series: DataFrame[];
  timeRange: TimeRange;
}

/** Errors fail the picture. Notes are worth a look. Empty panels fail it under --strict. */
export interface Report {
  errors: string[];
  notes: string[];
  empty: string[];
}

const report: Report = { errors: [], notes: [], empty: [] };

const add = (list: string[]) => (where: string, what: string) => {
  const line = `${where}: ${what}`;
  if (!list.includes(line)) {
    list.push(line);
  }
};

export const fail = add(report.errors);
export const note = add(report.notes);
export const empty = add(report.empty);
export const reported = () => report;

export const panelName = (panel: Panel) => `panel ${panel.title || `#${panel.id}`} (${panel.type})`;

const standardFields = [
  'displayName', 'unit', 'min', 'max', 'decimals', 'fieldMinMax', 'color', 'mappings', 'thresholds', 'noValue',
  'links', 'filterable', 'description',
];

const reduced = ['reduceOptions', 'orientation', 'text'];

/** The panel types drawn, with the options and custom field properties each understands. */
export const panelTypes: Record<string, { options: string[]; custom: string[] }> = {
  row: { options: [], custom: [] },
  text: { options: ['mode', 'content', 'code'], custom: [] },
  stat: {
    options: [...reduced, 'textMode', 'wideLayout', 'colorMode', 'graphMode', 'justifyMode', 'showPercentChange', 'percentChangeColorMode'],
    custom: [],
  },
  bargauge: {
    options: [...reduced, 'displayMode', 'valueMode', 'namePlacement', 'showUnfilled', 'sizing', 'minVizWidth', 'minVizHeight', 'maxVizHeight', 'legend'],
    custom: [],
  },
  table: {
    options: ['showHeader', 'cellHeight', 'sortBy', 'frameIndex', 'frozenColumns', 'enablePagination', 'footer', 'showTypeIcons', 'maxRowHeight'],
    custom: ['align', 'cellOptions', 'width', 'minWidth', 'filterable', 'hidden', 'hideFrom', 'inspect', 'wrapText', 'wrapHeaderText', 'footer', 'tooltip', 'styleField'],
  },
  timeseries: {
    options: ['legend', 'tooltip', 'timezone'],
    custom: [
      'drawStyle', 'lineWidth', 'lineInterpolation', 'lineStyle', 'fillOpacity', 'fillBelowTo', 'gradientMode', 'showPoints', 'pointSize',
      'spanNulls', 'insertNulls', 'showValues', 'barAlignment', 'barWidthFactor', 'barMaxWidth', 'stacking', 'thresholdsStyle', 'transform',
      'axisPlacement', 'axisLabel', 'axisWidth', 'axisSoftMin', 'axisSoftMax', 'axisColorMode', 'axisBorderShow', 'axisCenteredZero',
      'axisGridShow', 'scaleDistribution', 'hideFrom',
    ],
  },
};

const panelKeys = [
  'id', 'type', 'title', 'description', 'gridPos', 'targets', 'transformations', 'fieldConfig', 'options', 'links', 'transparent', 'interval',
  'maxDataPoints', 'timeFrom', 'hideTimeOverride', 'collapsed', 'panels', 'datasource', 'pluginVersion', 'cacheTimeout', 'queryCachingTTL',
];

/** Fails on whatever of the panel would be left out of the picture. */
export function checkPanel(panel: Panel): boolean {
  const where = panelName(panel);
  const type = panelTypes[panel.type];
  if (!type) {
    fail(where, `this panel type is not supported; known are ${Object.keys(panelTypes).join(', ')}`);
    return false;
  }
  const known = (what: string, names: string[], allowed: string[]) =>
    names.filter((name) => !allowed.includes(name)).forEach((name) => fail(where, `${what} ${name} is not supported`));

  known('panel property', Object.keys(panel), panelKeys);
  known('option', Object.keys(panel.options ?? {}), type.options);
  const { custom, ...standard } = (panel.fieldConfig?.defaults ?? {}) as Record<string, unknown>;
  known('field property', Object.keys(standard), standardFields);
  known('field property custom.', Object.keys(custom ?? {}), type.custom);
  const ids = [...standardFields, ...type.custom.map((name) => `custom.${name}`)];
  for (const rule of panel.fieldConfig?.overrides ?? []) {
    if (!rule.properties) {
      fail(where, `the override of ${JSON.stringify(rule.matcher)} has no list of properties, on which Grafana fails`);
      continue;
    }
    known('override of', rule.properties.map((p) => p.id), ids);
  }
  return true;
}
