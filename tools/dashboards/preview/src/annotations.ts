// Annotations: asked of Prometheus like Grafana's data source does, and drawn
// over time series as a line or, where samples follow each other, a region.

import { colorManipulator, GrafanaTheme2, rangeUtil, TimeRange } from '@grafana/data';
import { UPlotConfigBuilder } from '@grafana/ui';
import { AnnotationModel, fail } from './model';
import { queryRange } from './prometheus';
import { prometheusFormat, Variables } from './variables';

export interface Annotation {
  color: string;
  from: number;
  to: number;
}

const defaultStep = '60s';

export async function queryAnnotations(models: AnnotationModel[], range: TimeRange, variables: Variables): Promise<Annotation[]> {
  const wanted = models.filter((model) => model.enable && !model.builtIn);
  const found = await Promise.all(
    wanted.map(async (model) => {
      const where = `annotation ${model.name}`;
      try {
        const step = rangeUtil.intervalToMs(model.step || defaultStep);
        const expr = variables.interpolate(model.expr ?? '', where, prometheusFormat);
        const series = await queryRange(expr, range, step, where);
        return series.flatMap(({ values }) => spans(values ?? [], step)).map((span) => ({ ...span, color: model.iconColor ?? 'red' }));
      } catch (err) {
        fail(where, String(err));
        return [];
      }
    })
  );
  return found.flat();
}

/** Samples no more than a step apart are one span; only what is above 0 is an event. */
function spans(values: Array<[number, string]>, step: number): Array<{ from: number; to: number }> {
  const found: Array<{ from: number; to: number }> = [];
  for (const time of values.filter(([, value]) => Number(value) > 0).map(([time]) => time * 1000)) {
    const last = found.at(-1);
    if (last && time - last.to <= step) {
      last.to = time;
    } else {
      found.push({ from: time, to: time });
    }
  }
  return found;
}

/** Adds the drawing of annotations to a chart that is not there yet. */
export function drawAnnotations(config: UPlotConfigBuilder, annotations: Annotation[], theme: GrafanaTheme2) {
  config.addHook('draw', (plot) => {
    const { ctx } = plot;
    const { left, top, width, height } = plot.bbox;
    const mark = 5 * devicePixelRatio;
    const at = (time: number) => Math.round(Math.min(Math.max(plot.valToPos(time, 'x', true), left), left + width));
    ctx.save();
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.setLineDash([5, 5]);
    for (const { from, to, color } of annotations) {
      const [x1, x2] = [at(from), at(to)];
      const drawn = theme.visualization.getColorByName(color);
      ctx.strokeStyle = ctx.fillStyle = drawn;
      ctx.beginPath();
      [x1, x2].forEach((x) => {
        ctx.moveTo(x, top);
        ctx.lineTo(x, top + height);
      });
      ctx.stroke();
      ctx.beginPath();
      if (x2 > x1) {
        ctx.rect(x1, top + height, x2 - x1, mark);
      } else {
        ctx.moveTo(x1, top + height);
        ctx.lineTo(x1 - mark, top + height + mark);
        ctx.lineTo(x1 + mark, top + height + mark);
      }
      ctx.fill();
      ctx.fillStyle = colorManipulator.alpha(drawn, 0.1);
      ctx.fillRect(x1, top, x2 - x1, height);
    }
    ctx.restore();
  });
}
