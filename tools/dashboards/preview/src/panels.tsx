// The panel types: each turns options and frames into the properties of
// Grafana's component, as the panel plugins do, which npm does not carry.

import { css } from '@emotion/css';
import {
  cacheFieldDisplayNames,
  DataFrame,
  DisplayValueAlignmentFactors,
  FieldConfigSource,
  FieldDisplay,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  getFrameDisplayName,
  GrafanaTheme2,
  InterpolateFunction,
  renderMarkdown,
  textUtil,
  TimeRange,
  VizOrientation,
} from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, UPlotConfigBuilder, useStyles2, useTheme2, VizRepeater, VizRepeaterRenderValueProps } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { useLayoutEffect } from 'react';
import { Annotation, drawAnnotations } from './annotations';
import { fail, note, Panel, panelName } from './model';

export interface VizProps {
  panel: Panel;
  options: Record<string, any>;
  fieldConfig: FieldConfigSource;
  /** After transformations and field configuration. */
  frames: DataFrame[];
  width: number;
  height: number;
  timeRange: TimeRange;
  timeZone: string;
  annotations: Annotation[];
  replace: InterpolateFunction;
}

const reduceDefaults = { values: false, calcs: ['lastNotNull'], fields: '' };

const optionDefaults: Record<string, Record<string, unknown>> = {
  text: { mode: 'markdown', content: '' },
  stat: {
    orientation: 'auto',
    textMode: 'auto',
    wideLayout: true,
    colorMode: 'value',
    graphMode: 'area',
    justifyMode: 'auto',
    showPercentChange: false,
    percentChangeColorMode: 'standard',
  },
  bargauge: {
    orientation: 'auto',
    displayMode: 'gradient',
    valueMode: 'color',
    namePlacement: 'auto',
    showUnfilled: true,
    sizing: 'auto',
    minVizWidth: 8,
    minVizHeight: 16,
    maxVizHeight: 300,
  },
  table: { showHeader: true, cellHeight: 'sm', frameIndex: 0, sortBy: [] },
  timeseries: {},
};

const legendDefaults = { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] };

export function optionsOf(panel: Panel): Record<string, any> {
  const options: Record<string, any> = { ...optionDefaults[panel.type], ...panel.options };
  if (panel.type === 'timeseries') {
    options.legend = { ...legendDefaults, ...options.legend };
    options.tooltip = { mode: 'single', sort: 'none', ...options.tooltip };
  }
  if (panel.type === 'stat' || panel.type === 'bargauge') {
    options.reduceOptions = { ...reduceDefaults, ...options.reduceOptions };
  }
  return options;
}

/** Panel types whose plugin draws up to the panel's edge. */
export const unpadded = (panel: Panel) => panel.type === 'table';

export function Visualization(props: VizProps) {
  switch (props.panel.type) {
    case 'text':
      return <Text {...props} />;
    case 'stat':
      return <Stat {...props} />;
    case 'bargauge':
      return <Bars {...props} />;
    case 'table':
      return <Table {...props} />;
    case 'timeseries':
      return <Lines {...props} />;
    default:
      return null;
  }
}

function Text({ options, replace }: VizProps) {
  const styles = useStyles2(textStyles);
  if (options.mode === 'code') {
    throw new Error('a text panel of mode code is not supported');
  }
  const content = replace(options.content, {}, options.mode === 'html' ? 'html' : undefined);
  const html = options.mode === 'markdown' ? renderMarkdown(content) : textUtil.sanitize(content);
  return <div className={`markdown-html ${styles}`} dangerouslySetInnerHTML={{ __html: html }} />;
}

const textStyles = () => css({ height: '100%', overflow: 'hidden' });

type Repeated = VizRepeaterRenderValueProps<FieldDisplay, DisplayValueAlignmentFactors>;

function useFieldValues(props: VizProps, sparkline: boolean) {
  const theme = useTheme2();
  const { frames, options, fieldConfig, replace, timeZone } = props;
  const getValues = () =>
    getFieldDisplayValues({
      fieldConfig,
      reduceOptions: options.reduceOptions,
      replaceVariables: replace,
      theme,
      data: frames,
      sparkline,
      percentChange: Boolean(options.showPercentChange),
      timeZone,
    });
  return { theme, getValues };
}

function Stat(props: VizProps) {
  const { panel, options, fieldConfig, frames, width, height, timeRange } = props;
  const { theme, getValues } = useFieldValues(props, options.graphMode !== 'none');
  // A name given on purpose is shown even where Grafana would leave it out.
  const named = options.textMode === 'auto' && (fieldConfig.defaults.displayName || !panel.title);
  const renderValue = ({ value, alignmentFactors, width, height, count }: Repeated) => (
    <BigValue
      value={value.display}
      count={count}
      sparkline={value.sparkline && { ...value.sparkline, timeRange }}
      colorMode={options.colorMode}
      graphMode={options.graphMode}
      justifyMode={options.justifyMode}
      textMode={named ? 'value_and_name' : options.textMode}
      percentChangeColorMode={options.percentChangeColorMode}
      disableWideLayout={!options.wideLayout}
      alignmentFactors={alignmentFactors}
      hasLinks={value.hasLinks}
      text={options.text}
      width={width}
      height={height}
      theme={theme}
    />
  );
  return (
    <VizRepeater
      getValues={getValues}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={renderValue}
      width={width}
      height={height}
      source={frames}
      itemSpacing={3}
      renderCounter={0}
      autoGrid
      orientation={options.orientation}
    />
  );
}

function Bars(props: VizProps) {
  const { options, fieldConfig, frames, width, height } = props;
  const { theme, getValues } = useFieldValues(props, false);
  const itemSpacing = options.displayMode === 'lcd' ? 2 : 10;
  const orientation =
    options.orientation === 'auto' ? (width > height ? VizOrientation.Vertical : VizOrientation.Horizontal) : options.orientation;
  const size = (which: string) => (options.sizing === 'manual' ? options : optionDefaults.bargauge)[which] as number;
  if (options.legend?.showLegend) {
    fail(panelName(props.panel), 'a legend below a bar gauge is not supported');
  }
  const renderValue = ({ value, alignmentFactors, width, height, count, orientation }: Repeated) => (
    <BarGauge
      // A single bar needs no name: the panel has one.
      value={count === 1 && !fieldConfig.defaults.displayName ? { ...value.display, title: undefined } : value.display}
      width={width}
      height={height}
      orientation={orientation}
      field={value.field}
      text={options.text}
      display={value.view?.getFieldDisplayProcessor(value.colIndex ?? 0)}
      theme={theme}
      itemSpacing={itemSpacing}
      displayMode={options.displayMode}
      alignmentFactors={count > 1 ? alignmentFactors : undefined}
      showUnfilled={options.showUnfilled}
      valueDisplayMode={options.valueMode}
      namePlacement={options.namePlacement}
    />
  );
  return (
    <VizRepeater
      getValues={getValues}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={renderValue}
      width={width}
      height={height}
      source={frames}
      itemSpacing={itemSpacing}
      renderCounter={0}
      minVizWidth={size('minVizWidth')}
      minVizHeight={size('minVizHeight')}
      maxVizHeight={size('maxVizHeight')}
      orientation={orientation}
    />
  );
}

function Table({ panel, options, fieldConfig, frames, width, height, timeRange }: VizProps) {
  if (!frames.some((frame) => frame.fields.length)) {
    return <Empty fieldConfig={fieldConfig} />;
  }
  const frame = frames[options.frameIndex] ?? frames[0];
  cacheFieldDisplayNames([frame]);
  if (frames.length > 1) {
    note(panelName(panel), `shows the first of ${frames.length} tables; Grafana adds a picker: ${frames.map((f) => getFrameDisplayName(f)).join(', ')}`);
  }
  return (
    <TableNG
      data={frame}
      width={width}
      height={height}
      noHeader={!options.showHeader}
      showTypeIcons={options.showTypeIcons}
      sortBy={options.sortBy}
      sortByBehavior="managed"
      cellHeight={options.cellHeight}
      maxRowHeight={options.maxRowHeight}
      frozenColumns={options.frozenColumns?.left}
      enablePagination={options.enablePagination ?? options.footer?.enablePagination}
      noValue={fieldConfig.defaults.noValue}
      timeRange={timeRange}
      fieldConfig={fieldConfig}
      structureRev={1}
      transparent={panel.transparent}
      resizable
    />
  );
}

function Lines({ fieldConfig, frames, options, width, height, timeRange, timeZone, annotations }: VizProps) {
  const graphable = frames.filter((frame) => frame.length && frame.fields.some((f) => f.type === 'time') && frame.fields.some((f) => f.type === 'number'));
  if (!graphable.length) {
    return <Empty fieldConfig={fieldConfig} />;
  }
  // uPlot can draw numbers and gaps, nothing between them.
  graphable.forEach((frame) =>
    frame.fields
      .filter((f) => f.type === 'number')
      .forEach((f) => (f.values = f.values.map((value) => (Number.isFinite(value) ? value : null))))
  );
  return (
    <TimeSeries
      frames={graphable}
      structureRev={1}
      timeRange={timeRange}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={options.legend}
      options={options}
    >
      {(config) => <Annotations config={config} annotations={annotations} />}
    </TimeSeries>
  );
}

function Annotations({ config, annotations }: { config: UPlotConfigBuilder; annotations: Annotation[] }) {
  const theme = useTheme2();
  // The chart reads its hooks once, after its children's effects.
  useLayoutEffect(() => drawAnnotations(config, annotations, theme), [config, annotations, theme]);
  return null;
}

/** What Grafana shows in the middle of a panel without data. */
function Empty({ fieldConfig }: { fieldConfig: FieldConfigSource }) {
  const styles = useStyles2(emptyStyles);
  return <div className={styles}>{fieldConfig.defaults.noValue || 'No data'}</div>;
}

const emptyStyles = (theme: GrafanaTheme2) =>
  css({
    height: '100%',
    display: 'flex',
    alignItems: 'center',
    justifyContent: 'center',
    textAlign: 'center',
    padding: theme.spacing(1),
    color: theme.colors.text.secondary,
    fontSize: theme.typography.size.lg,
  });
