// Variables and their interpolation, by the rules of Grafana and of its
// Prometheus data source.

import { DataFrame, Field, formattedValueToString, getFieldDisplayValuesProxy, ScopedVars, textUtil, TimeRange } from '@grafana/data';
import { fail, note, VariableModel } from './model';
import { labelValues, queryResult } from './prometheus';

const ALL = '$__all';

interface Option {
  text: string;
  value: string;
}

export interface Variable {
  model: VariableModel;
  options: Option[];
  /** The chosen values; [ALL] for all. */
  chosen: string[];
}

/** What a scope answers where only a later pass can know, such as a row's field before there is a row. */
const LATER = Symbol('later');

/** Resolves a name that is no variable of the dashboard: builtins, and what a link knows. */
export type Scope = (name: string, path: string | undefined) => unknown;

const supported = ['datasource', 'query', 'custom', 'textbox', 'constant'];

export class Variables {
  readonly all: Variable[] = [];
  private readonly byName = new Map<string, Variable>();

  constructor(
    private readonly timeRange: TimeRange,
    private readonly dashboardUid: string
  ) {}

  /** Finds every variable's options and value. One's query may name those before it. */
  async resolve(models: VariableModel[], chosen: Record<string, string[]>) {
    for (const model of models) {
      const where = `variable ${model.name}`;
      if (!supported.includes(model.type)) {
        fail(where, `the variable type ${model.type} is not supported; known are ${supported.join(', ')}`);
        continue;
      }
      const options = await this.optionsOf(model, where);
      if (!options.length && !['textbox', 'constant'].includes(model.type)) {
        note(where, 'has no options, so it stands for nothing');
      }
      const variable = { model, options, chosen: chosen[model.name] ?? defaultChoice(model, options) };
      this.all.push(variable);
      this.byName.set(model.name, variable);
    }
    Object.keys(chosen)
      .filter((name) => !this.byName.has(name))
      .forEach((name) => fail(`variable ${name}`, 'chosen on the command line, but the dashboard has none of that name'));
  }

  private async optionsOf(model: VariableModel, where: string): Promise<Option[]> {
    switch (model.type) {
      case 'datasource':
        // There is one Prometheus here, whatever the data sources are called.
        return [{ text: 'Prometheus', value: 'prometheus' }];
      case 'custom':
        return customOptions(String(model.query ?? ''));
      case 'query':
        try {
          return sorted(filtered(await this.query(model, where), model.regex), model.sort ?? 0);
        } catch (err) {
          fail(where, String(err));
        }
    }
    return [];
  }

  private async query(model: VariableModel, where: string): Promise<string[]> {
    const query = this.interpolate(typeof model.query === 'object' ? model.query.query : model.query, where, prometheusFormat);
    const values = /^label_values\((?:(.*),)?\s*([a-zA-Z_]\w*)\)\s*$/.exec(query);
    if (values) {
      return labelValues(values[2], values[1]?.trim(), this.timeRange);
    }
    const result = /^query_result\((.+)\)\s*$/.exec(query);
    if (result) {
      return queryResult(result[1], this.timeRange);
    }
    throw new Error(`the variable query ${query} is not supported; known are label_values and query_result`);
  }

  /** What the picker shows. */
  text(variable: Variable): string[] {
    const { model, options, chosen } = variable;
    if (model.type === 'constant' || model.type === 'textbox') {
      return chosen;
    }
    return chosen.map((value) => (value === ALL ? 'All' : (options.find((o) => o.value === value)?.text ?? value)));
  }

  private valuesOf({ model, options, chosen }: Variable): string[] {
    return chosen.includes(ALL) && !model.allValue ? options.map((o) => o.value) : chosen;
  }

  /** Replaces $name, ${name}, ${name:format} and [[name]]. What nothing resolves is an error. */
  interpolate(text: string, where: string, fallback: Format = glob, scope: Scope = () => undefined): string {
    const pattern = /\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}/g;
    return text.replace(pattern, (match, plain, square, squareFormat, braced, path, bracedFormat) => {
      const name: string = plain ?? square ?? braced;
      const formatName: string | undefined = squareFormat ?? bracedFormat;
      const format = formatName ? formats[formatName] : fallback;
      if (!format) {
        fail(where, `the format in ${match} is not supported; known are ${Object.keys(formats).join(', ')}`);
        return match;
      }
      const variable = this.byName.get(name);
      if (variable) {
        if (formatName === 'queryparam') {
          return variable.chosen.map((value) => `var-${name}=${encodeURIComponent(value)}`).join('&');
        }
        if (formatName === 'text') {
          return this.text(variable).join(' + ');
        }
        if (variable.chosen.includes(ALL) && variable.model.allValue) {
          return variable.model.allValue;
        }
        return format(this.valuesOf(variable), variable.model);
      }
      const scoped = scope(name, path) ?? this.builtin(name);
      if (scoped === LATER) {
        return match;
      }
      if (scoped !== undefined) {
        return formatName ? format([String(scoped)], undefined) : String(scoped);
      }
      // $1 belongs to label_replace, not to Grafana.
      if (!/^\d/.test(name)) {
        fail(where, `nothing resolves ${match}`);
      }
      return match;
    });
  }

  private builtin(name: string): string | undefined {
    const from = this.timeRange.from.valueOf();
    const to = this.timeRange.to.valueOf();
    switch (name) {
      case '__from':
        return String(from);
      case '__to':
        return String(to);
      case '__url_time_range':
        return `from=${from}&to=${to}`;
      case '__dashboard':
        return this.dashboardUid;
      case '__all_variables':
        return this.all.map((v) => v.chosen.map((value) => `var-${v.model.name}=${encodeURIComponent(value)}`).join('&')).join('&');
    }
    return undefined;
  }
}

function defaultChoice(model: VariableModel, options: Option[]): string[] {
  if (model.type === 'constant') {
    return [String(model.query ?? '')];
  }
  const current = [model.current?.value ?? []].flat().map(String);
  if (model.type === 'textbox') {
    return [current[0] ?? String(model.query ?? '')];
  }
  const valid = current.filter((value) => options.some((o) => o.value === value) || (value === ALL && model.includeAll));
  if (valid.length) {
    return valid;
  }
  return model.includeAll ? [ALL] : options.slice(0, 1).map((o) => o.value);
}

function customOptions(query: string): Option[] {
  return (query.match(/(?:\\,|[^,])+/g) ?? []).map((part) => {
    const plain = part.replace(/\\,/g, ',');
    const [, text, value] = /^\s*(.+)\s:\s(.+)$/.exec(plain) ?? [undefined, plain, plain];
    return { text: text!.trim(), value: value!.trim() };
  });
}

function filtered(items: string[], regex: string | undefined): Option[] {
  const options = new Map<string, Option>();
  const put = (text: string, value: string) => options.has(value) || options.set(value, { text, value });
  for (const item of items) {
    if (!regex) {
      put(item, item);
      continue;
    }
    const [, body, flags] = /^\/(.*)\/([a-z]*)$/s.exec(regex) ?? [undefined, `^${regex}$`, ''];
    for (const match of item.matchAll(new RegExp(body, flags!.includes('g') ? flags : `${flags}g`))) {
      const value = match.groups?.value ?? match.groups?.text ?? match[1] ?? match[0];
      put(match.groups?.text ?? value, value);
    }
  }
  return [...options.values()];
}

/** Grafana's sort codes: 1 and 2 by alphabet, 3 and 4 by number, 5 and 6 whatever the case, 7 and 8 naturally; even ones downwards. */
function sorted(options: Option[], sort: number): Option[] {
  const number = (o: Option) => Number(/\d+/.exec(o.text)?.[0] ?? -1);
  const compare = [
    (a: Option, b: Option) => (a.text < b.text ? -1 : 1),
    (a: Option, b: Option) => number(a) - number(b),
    (a: Option, b: Option) => (a.text.toLowerCase() < b.text.toLowerCase() ? -1 : 1),
    (a: Option, b: Option) => a.text.localeCompare(b.text, undefined, { numeric: true }),
  ][Math.ceil(sort / 2) - 1];
  if (!compare) {
    return options;
  }
  return options.sort((a, b) => (sort % 2 ? compare(a, b) : compare(b, a)));
}

export type Format = (values: string[], model: VariableModel | undefined) => string;

const escapeRegex = (value: string) => value.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
const either = (values: string[]) => (values.length > 1 ? `(${values.join('|')})` : (values[0] ?? ''));

const glob: Format = (values) => (values.length > 1 ? `{${values.join(',')}}` : (values[0] ?? ''));

const formats: Record<string, Format> = {
  glob,
  raw: (values) => values.join(','),
  csv: (values) => values.join(','),
  text: (values) => values.join(' + '),
  pipe: (values) => values.join('|'),
  regex: (values) => either(values.map(escapeRegex)),
  percentencode: (values) => encodeURIComponent(glob(values, undefined)),
  uriencode: (values) => encodeURI(glob(values, undefined)),
  html: (values) => textUtil.escapeHtml(values.join(', ')),
  queryparam: (values, model) => values.map((value) => `var-${model?.name}=${encodeURIComponent(value)}`).join('&'),
  singlequote: (values) => values.map((value) => `'${value.replace(/'/g, "\\'")}'`).join(','),
  doublequote: (values) => values.map((value) => `"${value.replace(/"/g, '\\"')}"`).join(','),
};

/** In a PromQL string: a variable of many values is a regular expression, one of a single value is not. */
export const prometheusFormat: Format = (values, model) => {
  if (!model?.multi && !model?.includeAll) {
    return (values[0] ?? '').replace(/\\/g, '\\\\').replace(/"/g, '\\"');
  }
  const escaped = values.map((value) =>
    value.replace(/\\/g, '\\\\\\\\').replace(/"/g, '\\\\\\"').replace(/[$^*{}[\]'+?.()|]/g, '\\\\$&')
  );
  return either(escaped);
};

/** What a data link can name: the row's fields, the value clicked, the series. */
export function linkScope(scopedVars: ScopedVars | undefined): Scope {
  const context = scopedVars?.__dataContext?.value as
    | { frame: DataFrame; field: Field; rowIndex?: number; calculatedValue?: { numeric: number; text: string } }
    | undefined;
  return (name, path = '') => {
    if (!context) {
      return undefined;
    }
    const { frame, field, rowIndex, calculatedValue } = context;
    const [, key, rest] = /^fields(?:\[["']?(.+?)["']?\]|\.([^.]+))/.exec(path) ?? [];
    switch (name) {
      case '__data': {
        if (rowIndex === undefined) {
          return LATER;
        }
        const display = (getFieldDisplayValuesProxy({ frame, rowIndex }) as any)[key ?? rest];
        const part = /\.(raw|numeric|text)$/.exec(path)?.[1];
        return !display ? undefined : part === 'numeric' ? display.numeric : part === 'raw' ? display.raw ?? display.text : String(display);
      }
      case '__value': {
        if (rowIndex === undefined && !calculatedValue) {
          return LATER;
        }
        const raw = calculatedValue?.numeric ?? field.values[rowIndex!];
        return path === 'text' ? formattedValueToString(field.display!(raw)) : raw;
      }
      case '__series':
        return frame.name ?? '';
      case '__field':
        return path.startsWith('labels.') ? field.labels?.[path.slice(7)] : (field.state?.displayName ?? field.name);
    }
    return undefined;
  };
}
