// Queries to Prometheus through render.mjs's proxy, and the data frames which
// Grafana's Prometheus data source would make of the answers.

import { createDataFrame, DataFrame, FieldType, getFieldDisplayName, Labels, rangeUtil, TimeRange } from '@grafana/data';
import { fail, note, Panel, panelName, Target } from './model';
import { prometheusFormat, Scope, Variables } from './variables';

/** The data source's scrape interval, which is Grafana's default. */
const scrapeMs = 15_000;
/** Grafana never asks Prometheus for more points than it would answer. */
const maxPoints = 11_000;

interface Series {
  metric: Labels;
  value?: [number, string];
  values?: Array<[number, string]>;
}

async function ask(path: string, params: Record<string, string | number>, where = path): Promise<any> {
  const body = new URLSearchParams(Object.entries(params).map(([key, value]) => [key, String(value)]));
  // Labels' values can only be asked for with GET.
  const response = path.startsWith('label/') ? await fetch(`/api/v1/${path}?${body}`) : await fetch(`/api/v1/${path}`, { method: 'POST', body });
  const answer = await response.json().catch(() => ({ error: `status ${response.status}` }));
  if (answer.status !== 'success') {
    throw new Error(`Prometheus says: ${answer.error}`);
  }
  [...(answer.warnings ?? []), ...(answer.infos ?? [])].forEach((text: string) => note(where, text));
  return answer.data;
}

const seconds = (range: TimeRange) => ({ start: Math.floor(range.from.valueOf() / 1000), end: Math.ceil(range.to.valueOf() / 1000) });

export async function labelValues(label: string, match: string | undefined, range: TimeRange): Promise<string[]> {
  return ask(`label/${label}/values`, { ...seconds(range), ...(match && { 'match[]': match }) });
}

/** One line per sample, as query_result() gives it to a variable's regular expression. */
export async function queryResult(query: string, range: TimeRange): Promise<string[]> {
  const { result } = await ask('query', { query, time: range.to.valueOf() / 1000 });
  return result.map(({ metric: { __name__ = '', ...labels }, value }: Series) => {
    const pairs = Object.entries(labels).map(([name, text]) => `${name}="${text}"`);
    return `${__name__}{${pairs.join(',')}} ${value![1]} ${value![0] * 1000}`;
  });
}

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

async function queryInstant(query: string, range: TimeRange, where: string): Promise<Series[]> {
  const { resultType, result } = await ask('query', { query, time: range.to.valueOf() / 1000 }, where);
  if (resultType === 'string') {
    throw new Error('a query for a string is not supported');
  }
  return resultType === 'scalar' ? [{ metric: {}, value: result }] : result;
}

/** Both ends at whole steps, as Grafana asks. */
export async function queryRange(query: string, range: TimeRange, step: number, where: string): Promise<Series[]> {
  const align = (time: number) => (Math.floor(time / step) * step) / 1000;
  const ends = { start: align(range.from.valueOf()), end: align(range.to.valueOf()) };
  return (await ask('query_range', { query, ...ends, step: step / 1000 }, where)).result;
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
