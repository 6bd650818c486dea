// What the preview writes itself after Grafana's rules: interpolation,
// variables' options, and the frames made of Prometheus' answers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dateTime, TimeRange } from '@grafana/data';
import { queryPanel } from './frames';
import { Panel, reported, VariableModel } from './model';
import { prometheusFormat, Variables } from './variables';

const from = dateTime('2026-01-01T00:00:00Z');
const to = dateTime('2026-01-01T06:00:00Z');
const range: TimeRange = { from, to, raw: { from, to } };

/** Answers every request with the data given, and remembers what was asked. */
function prometheus(data: unknown): URLSearchParams[] {
  const asked: URLSearchParams[] = [];
  globalThis.fetch = (async (url: string, init?: { body?: URLSearchParams }) => {
    asked.push(init?.body ?? new URL(url, 'http://localhost').searchParams);
    return { json: async () => ({ status: 'success', data }) };
  }) as unknown as typeof fetch;
  return asked;
}

async function variables(models: Array<Partial<VariableModel>>, chosen: Record<string, string[]> = {}): Promise<Variables> {
  const all = new Variables(range, 'uid');
  await all.resolve(models as VariableModel[], chosen);
  return all;
}

const letters = { type: 'custom', name: 'x', query: 'Letter A : a.b, c|d' };

for (const [name, model, chosen, text, want] of [
  ['a single value in a string is no regular expression', letters, ['a.b'], 'up{x="$x"}', 'up{x="a.b"}'],
  ['quotes and backslashes end no string', { type: 'textbox', name: 'x' }, ['a"\\b'], 'up{x="$x"}', 'up{x="a\\"\\\\b"}'],
  ['one of many is a regular expression', { ...letters, multi: true }, ['a.b'], 'up{x=~"$x"}', 'up{x=~"a\\\\.b"}'],
  ['many', { ...letters, multi: true }, ['a.b', 'c|d'], 'up{x=~"$x"}', 'up{x=~"(a\\\\.b|c\\\\|d)"}'],
  ['all are the options', { ...letters, multi: true, includeAll: true }, ['$__all'], '${x}', '(a\\\\.b|c\\\\|d)'],
  ['all by a value of its own', { ...letters, multi: true, includeAll: true, allValue: '.+' }, ['$__all'], '[[x]]', '.+'],
  ['no options are nothing', { ...letters, query: '', multi: true, includeAll: true }, ['$__all'], 'up{x=~"$x"}', 'up{x=~""}'],
  ['regex', { ...letters, multi: true }, ['a.b', 'c|d'], '${x:regex}', '(a\\.b|c\\|d)'],
  ['raw', { type: 'textbox', name: 'x' }, ['a.b"'], '${x:raw}', 'a.b"'],
  ['text', letters, ['a.b'], '${x:text}', 'Letter A'],
  ['queryparam', { ...letters, multi: true, includeAll: true }, ['$__all'], '${x:queryparam}', 'var-x=%24__all'],
  ['percentencode', letters, ['c|d'], '${x:percentencode}', 'c%7Cd'],
  ["label_replace's groups are not Grafana's", letters, ['a.b'], 'label_replace(up, "a", "$1", "b", "(.*)")', 'label_replace(up, "a", "$1", "b", "(.*)")'],
] as Array<[string, Partial<VariableModel>, string[], string, string]>) {
  test(`interpolate: ${name}`, async () => {
    const all = await variables([model], { x: chosen });
    assert.equal(all.interpolate(text, 'here', prometheusFormat), want);
  });
}

test('interpolate: a name that stands for nothing is an error', async () => {
  const all = await variables([]);
  assert.equal(all.interpolate('$nope', 'here'), '$nope');
  assert.ok(reported().errors.includes('here: nothing resolves $nope'));
});

test('a query variable takes text and value from named groups, each value once', async () => {
  const metric = (id: string, name: string) => ({ metric: { __name__: 'info', id, name }, value: [1, '1'] });
  prometheus({ resultType: 'vector', result: [metric('2', 'two'), metric('1', 'one'), metric('2', 'two again')] });
  const all = await variables([
    { type: 'query', name: 'x', query: 'query_result(info)', regex: '/id="(?<value>[^"]+)",name="(?<text>[^"]+)"/', sort: 1 },
  ]);
  assert.deepEqual(all.all[0].options, [{ text: 'one', value: '1' }, { text: 'two', value: '2' }]);
  assert.deepEqual(all.all[0].chosen, ['1']);
});

test('label_values asks with the selector, other variables filled in', async () => {
  const asked = prometheus(['a', 'b']);
  const all = await variables([letters, { type: 'query', name: 'y', query: 'label_values(up{x="$x", y=~"a,b"}, instance)' }]);
  assert.equal(asked[0].get('match[]'), 'up{x="a.b", y=~"a,b"}');
  assert.deepEqual(all.all[1].options.map((o) => o.value), ['a', 'b']);
});

const panel = (...targets: unknown[]) => ({ type: 'table', title: 'T', gridPos: { x: 0, y: 0, w: 24, h: 8 }, targets }) as Panel;
const shape = (frames: Awaited<ReturnType<typeof queryPanel>>) => frames.map((f) => Object.fromEntries(f.fields.map((x) => [x.name, x.values])));

test('a table has the time, every label by name, and the value', async () => {
  prometheus({ resultType: 'vector', result: [{ metric: { b: '1' }, value: [60, '5'] }, { metric: { a: '2' }, value: [60, '+Inf'] }] });
  const frames = await queryPanel(panel({ refId: 'A', expr: 'up', format: 'table', instant: true }), 800, range, await variables([]));
  assert.deepEqual(shape(frames), [{ Time: [60000, 60000], b: ['1', ''], a: ['', '2'], Value: [5, Infinity] }]);
});

test('the tables of several queries tell their values apart, empty ones too', async () => {
  prometheus({ resultType: 'vector', result: [] });
  const target = { expr: 'up', format: 'table', instant: true };
  const frames = await queryPanel(panel({ ...target, refId: 'A' }, { ...target, refId: 'B' }), 800, range, await variables([]));
  assert.deepEqual(shape(frames), [{ Time: [], 'Value #A': [] }, { Time: [], 'Value #B': [] }]);
});

test('a range is asked for at whole steps, which the panel width and its interval decide', async () => {
  const asked = prometheus({ resultType: 'matrix', result: [{ metric: { job: 'j' }, values: [[0, '1']] }] });
  const target = { refId: 'A', expr: 'rate(x[$__rate_interval]) + x offset $__range', legendFormat: 'of {{ job }}' };
  const ask = async (p: Panel, width: number) => shape(await queryPanel(p, width, range, await variables([])));
  await ask(panel(target), 360);
  await ask({ ...panel(target), interval: '1h' }, 360);
  await ask(panel(target), 100_000);
  assert.deepEqual(asked.map((q) => q.get('step')), ['60', '3600', '15']);
  assert.deepEqual(asked.map((q) => q.get('query')), [
    'rate(x[75s]) + x offset 21600s',
    'rate(x[3615s]) + x offset 21600s',
    'rate(x[60s]) + x offset 21600s',
  ]);
  assert.equal(Number(asked[0].get('start')), from.valueOf() / 1000);
});

test('nothing is put where a step is missing, so that no line is drawn through it', async () => {
  prometheus({ resultType: 'matrix', result: [{ metric: {}, values: [[0, '1'], [3600, '2'], [14400, '3'], [18000, '4']] }] });
  const [frame] = await queryPanel({ ...panel({ refId: 'A', expr: 'a' }), interval: '1h' }, 360, range, await variables([]));
  assert.deepEqual(frame.fields[0].values.map((ms: number) => ms / 3600_000), [0, 1, 2, 4, 5]);
  assert.deepEqual(frame.fields[1].values, [1, 2, null, 3, 4]);
});

test('a series is named by its legend, by its labels, or by the query', async () => {
  const named = async (legendFormat: string | undefined, metric: object) => {
    prometheus({ resultType: 'matrix', result: [{ metric, values: [[0, '1']] }] });
    const [frame] = await queryPanel(panel({ refId: 'A', expr: 'a + b', legendFormat }), 800, range, await variables([]));
    return frame.fields[1].config.displayNameFromDS;
  };
  assert.equal(await named('{{job}}/{{none}}', { job: 'j' }), 'j/');
  assert.equal(await named(undefined, { __name__: 'm', job: 'j' }), 'm{job="j"}');
  assert.equal(await named(undefined, {}), 'a + b');
  assert.equal(await named('__auto', { job: 'j' }), undefined);
});
