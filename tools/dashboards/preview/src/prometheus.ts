// Questions to Prometheus through render.mjs's proxy.

import { Labels, TimeRange } from '@grafana/data';
import { note } from './model';

/** A series of an answer, with one sample or many. */
export interface Series {
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

export async function queryInstant(query: string, range: TimeRange, where: string): Promise<Series[]> {
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
