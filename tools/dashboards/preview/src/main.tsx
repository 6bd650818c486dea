// The page that render.mjs opens: resolves the variables, asks Prometheus,
// draws, and says when it is done.

import { createTheme, dateMath, DataFrame, dateTime, GrafanaTheme2, standardTransformersRegistry, ThemeContext, TimeRange, transformDataFrame } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { firstValueFrom } from 'rxjs';
import { queryAnnotations } from './annotations';
import { columnSpan, Page, rowSpan } from './dashboard';
import { registerGrafana } from './fields';
import { queryPanel } from './frames';
import { checkPanel, Drawable, empty, fail, Job, note, Panel, panelName, Report, reported } from './model';
import { Variables } from './variables';

declare global {
  interface Window {
    /** Given by render.mjs before the page loads. */
    previewJob: Job;
    /** Set once all is drawn. */
    previewReport?: Report;
  }
}

function rangeOf(from: string, to: string): TimeRange {
  const parse = (text: string, roundUp: boolean) => dateMath.toDateTime(text, { roundUp }) ?? dateTime(text);
  return { from: parse(from, false), to: parse(to, true), raw: { from, to } };
}

/** Panels as the page shows them: those in a closed row are not. */
const visible = (panels: Panel[]) => panels.flatMap((panel) => [panel, ...(panel.collapsed ? [] : (panel.panels ?? []))]);

async function transformed(panel: Panel, frames: DataFrame[], variables: Variables): Promise<DataFrame[]> {
  const where = panelName(panel);
  const transformations = (panel.transformations ?? []).filter((t) => !t.disabled);
  const unknown = transformations.filter((t) => !standardTransformersRegistry.getIfExists(t.id));
  if (unknown.length) {
    fail(where, `these transformations are not supported: ${unknown.map((t) => t.id).join(', ')}`);
    return frames;
  }
  const interpolate = (text: string) => variables.interpolate(text, where);
  return firstValueFrom(transformDataFrame(transformations as any, frames, { interpolate }));
}

async function prepare(panel: Panel, job: Job, dashboardRange: TimeRange, variables: Variables): Promise<Drawable> {
  const width = columnSpan(panel.gridPos.w, job.width);
  const timeRange = panel.timeFrom ? rangeOf(`now-${panel.timeFrom}`, 'now') : dashboardRange;
  let series: DataFrame[] = [];
  if (panel.targets?.length) {
    series = await transformed(panel, await queryPanel(panel, width, timeRange, variables), variables);
    if (!series.some((frame) => frame.length)) {
      const shown = panel.fieldConfig?.defaults.noValue;
      shown ? note(panelName(panel), `has no data and shows ${JSON.stringify(shown)}`) : empty(panelName(panel), 'has no data, and no text that says why');
    }
  }
  return { panel, width, height: rowSpan(panel.gridPos.h), series, timeRange };
}

/** Components measure text once, so the fonts have to be there before the first is drawn. */
async function loadFonts(theme: GrafanaTheme2) {
  flushSync(() =>
    createRoot(document.createElement('div')).render(
      <ThemeContext.Provider value={theme}>
        <GlobalStyles />
      </ThemeContext.Provider>
    )
  );
  const fonts = ['400 14px Inter', '500 14px Inter', 'italic 400 14px Inter', "400 14px 'Roboto Mono'"];
  const loaded = await Promise.all(fonts.map((font) => document.fonts.load(font)));
  fonts.filter((_, i) => !loaded[i].length).forEach((font) => fail('page', `find the font ${font}`));
}

/** Waits for fonts, icons and charts, which are drawn a few frames later. */
async function settled() {
  await document.fonts.ready;
  const icons = () => document.querySelectorAll('svg').length;
  let before = -1;
  for (let quiet = 0; quiet < 5; ) {
    await new Promise((done) => setTimeout(done, 100));
    quiet = icons() === before ? quiet + 1 : 0;
    before = icons();
  }
}

const cut = (element: Element) => element.scrollWidth > element.clientWidth + 1;

/** What is aligned to the right is cut at the left, which scrollWidth does not tell. */
function textCut(cell: Element) {
  const range = document.createRange();
  range.selectNodeContents(cell);
  const [text, box] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
  return text.left < box.left - 1 || text.right > box.right + 1;
}

/** Notes what a reader would see cut off: titles, tables wider than their panel, texts wider than their column. */
function noteCutTexts() {
  for (const box of document.querySelectorAll('[data-panel]')) {
    const where = box.getAttribute('data-panel')!;
    [...box.querySelectorAll('h2')].filter(cut).forEach(() => note(where, 'the title is cut off'));
    for (const grid of box.querySelectorAll('[role=grid]')) {
      if (cut(grid)) {
        note(where, `the table is ${grid.scrollWidth - grid.clientWidth} pixels wider than its panel`);
      }
      const columns = [...grid.querySelectorAll('[role=columnheader]')].map((header) => header.textContent ?? '');
      const texts = [...grid.querySelectorAll('[role=gridcell]')].filter(textCut);
      new Set(texts.map((cell) => columns[Number(cell.getAttribute('aria-colindex')) - 1])).forEach((column) =>
        note(where, `texts are cut off in the column ${column}`)
      );
    }
  }
}

async function draw(job: Job) {
  registerGrafana();
  await initPluginTranslations('preview');
  const { dashboard } = job;
  const timeRange = rangeOf(dashboard.time.from, dashboard.time.to);
  const variables = new Variables(timeRange, dashboard.uid);
  await variables.resolve(dashboard.templating?.list ?? [], job.chosen);
  const drawable = visible(dashboard.panels).filter(checkPanel);
  const annotations = await queryAnnotations(dashboard.annotations?.list ?? [], timeRange, variables);
  const panels = await Promise.all(drawable.map((panel) => prepare(panel, job, timeRange, variables)));
  const theme = createTheme({ colors: { mode: job.theme } });
  await loadFonts(theme);
  createRoot(document.getElementById('root')!).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Page job={job} variables={variables} panels={panels} timeRange={timeRange} annotations={annotations} />
      <PortalContainer />
    </ThemeContext.Provider>
  );
  await settled();
  noteCutTexts();
}

draw(window.previewJob)
  .catch((err) => fail('page', err.stack ?? String(err)))
  .finally(() => (window.previewReport = reported()));
