// The data frames which Grafana's Prometheus data source would make of a panel's queries.

import { createDataFrame, DataFrame, FieldType, getFieldDisplayName, Labels, rangeUtil, TimeRange } from '@grafana/data';
import { fail, Panel, panelName, Target } from './model';
import { queryInstant, queryRange, Series } from './prometheus';
import { prometheusFormat, Scope, Variables } from './variables';

/** The data source's scrape interval, which is Grafana's default. */
const scrapeMs = 15_000;
/** Grafana never asks Prometheus for more points than it would answer. */
const maxPoints = 11_000;

/** Milliseconds between two points, as Grafana chooses them for a panel so wide. */
function stepOf(panel: Panel, target: Target, range: TimeRange, width: number, variables: Variables): number {
  const points = panel.maxDataPoints || Math.round(width);
  const lowest = panel.interval && variables.interpolate(panel.interval, panelName(panel));
  const { intervalMs } = rangeUtil.calculateInterval(range, points, lowest || `${scrapeMs}ms`);
  const span = range.to.valueOf() - range.from.valueOf();
  const asked = target.interval ? rangeUtil.intervalToMs(variables.interpolate(target.interval, panelName(panel))) : 0;
  return Math.max(intervalMs, asked, rangeUtil.roundInterval(span / maxPoints));
}

const builtins = (step: number, range: TimeRange): Scope => {
  const span = range.to.valueOf() - range.from.valueOf();
  const values: Record<string, string> = {
    __interval: `${step / 1000}s`,
    __interval_ms: String(step),
    __rate_interval: `${Math.max(step + scrapeMs, 4 * scrapeMs) / 1000}s`,
    __range: `${Math.round(span / 1000)}s`,
    __range_s: String(Math.round(span / 1000)),
    __range_ms: String(span),
  };
  return (name) => values[name];
};

/** All frames of the panel's queries, before its transformations. */
export async function queryPanel(panel: Panel, width: number, range: TimeRange, variables: Variables): Promise<DataFrame[]> {
  const targets = (panel.targets ?? []).filter((target) => !target.hide);
  const tables = targets.filter((target) => target.format === 'table').length;
  const frames = await Promise.all(
    targets.map(async (target) => {
      const where = `${panelName(panel)}, query ${target.refId}`;
      try {
        const series = await queryTarget(panel, target, width, range, variables, where);
        return target.format === 'table' ? [table(series, target, tables)] : series;
      } catch (err) {
        fail(where, String(err));
        return [];
      }
    })
  );
  return frames.flat();
}

async function queryTarget(panel: Panel, target: Target, width: number, range: TimeRange, variables: Variables, where: string) {
  if (target.format && !['table', 'time_series'].includes(target.format)) {
    throw new Error(`the query format ${target.format} is not supported`);
  }
  const step = stepOf(panel, target, range, width, variables);
  const query = variables.interpolate(target.expr, where, prometheusFormat, builtins(step, range));
  const series = await (target.instant ? queryInstant(query, range, where) : queryRange(query, range, step, where));
  const legend = (labels: Labels) => legendOf(target, labels, query, (text) => variables.interpolate(text, where, undefined, builtins(step, range)));
  const frames = series.map((s) => frame(s, target, step, legend(s.metric)));
  if (target.legendFormat === '__auto') {
    frames.forEach((f) => nameByLabels(f, frames));
  }
  return frames;
}

const sample = (text: string) => (/inf/i.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : parseFloat(text));

function frame({ metric, value, values }: Series, target: Target, step: number, displayNameFromDS: string | undefined): DataFrame {
  const samples: Array<[number, string | null]> = values ? withGaps(values, step / 1000) : [value!];
  return createDataFrame({
    refId: target.refId,
    name: displayNameFromDS,
    fields: [
      { name: 'Time', type: FieldType.time, config: { interval: step }, values: samples.map(([time]) => time * 1000) },
      {
        name: metric.__name__ ?? 'Value',
        type: FieldType.number,
        labels: metric,
        config: { displayNameFromDS },
        values: samples.map(([, text]) => (text === null ? null : sample(text))),
      },
    ],
  });
}

/** Puts nothing where a step is missing. Grafana's panel does so; its published component, to the first series only. */
export function withGaps(values: Array<[number, string]>, step: number): Array<[number, string | null]> {
  return values.flatMap(([time, text], i) => {
    const missing = i > 0 && time - values[i - 1][0] > step;
    return missing ? [[values[i - 1][0] + step, null], [time, text]] : [[time, text]];
  });
}

/** The legend: its template, or the series as PromQL writes it, or undefined where Grafana is to find a name. */
function legendOf(target: Target, labels: Labels, query: string, interpolate: (text: string) => string): string | undefined {
  if (target.legendFormat === '__auto') {
    return Object.keys(labels).length ? undefined : query;
  }
  if (target.legendFormat) {
    return interpolate(target.legendFormat).replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '');
  }
  const { __name__ = '', ...rest } = labels;
  const name = `${__name__}{${Object.entries(rest).sort().map(([key, value]) => `${key}="${value}"`).join(', ')}}`;
  return name === '{}' ? query : name;
}

function nameByLabels(frame: DataFrame, all: DataFrame[]) {
  const value = frame.fields[1];
  if (value.labels?.__name__) {
    value.config.displayNameFromDS = getFieldDisplayName({ ...value, name: 'Value' }, frame, all);
  }
}

/** One table of all series: time, every label by name, value. */
function table(series: DataFrame[], target: Target, tables: number): DataFrame {
  if (!series.length && tables === 1) {
    return createDataFrame({ refId: target.refId, fields: [] });
  }
  const rows = series.flatMap((f) => f.fields[0].values.map((time, i) => ({ time, labels: f.fields[1].labels ?? {}, value: f.fields[1].values[i] })));
  rows.sort((a, b) => a.time - b.time);
  const labels: string[] = [];
  series.forEach((f) => labels.push(...Object.keys(f.fields[1].labels ?? {}).sort().filter((name) => !labels.includes(name))));
  return createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, config: {}, values: rows.map((row) => row.time) },
      ...labels.map((name) => ({
        name,
        type: FieldType.string,
        config: { filterable: true },
        values: rows.map((row) => row.labels[name] ?? ''),
      })),
      { name: tables > 1 ? `Value #${target.refId}` : 'Value', type: FieldType.number, config: {}, values: rows.map((row) => row.value) },
    ],
  });
}
