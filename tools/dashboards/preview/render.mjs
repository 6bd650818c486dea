#!/usr/bin/env node
// Draws dashboards into PNGs: bundles src/, serves it with a proxy to
// Prometheus, and photographs each dashboard in headless Chromium.

import { build } from 'esbuild';
import { mkdir, readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { launch } from './browser.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const module = (name) => path.join(here, 'node_modules', name);

const usage = `usage: node render.mjs --prometheus URL --dashboards FILE... --out DIR [options]

  --prometheus URL           the Prometheus that all data sources stand for
  --dashboards FILE...       Classic dashboard JSON
  --out DIR                  where to write FILE-THEME.png
  --theme dark|light|both    default both
  --width PIXELS             width of the window, default 1280
  --scale N                  device pixels per pixel, default 1
  --top PIXELS               draw no more than that of the top
  --dashboard UID            draw this one only
  --var UID/NAME=VALUE       choose a variable's value; commas separate several, $__all chooses all
  --name SUFFIX              write FILE-SUFFIX-THEME.png instead
  --now RFC3339              the time to draw at, default the present
  --timeout SECONDS          for each picture, default 60
  --strict                   fail on panels that have no data and no text that says why
`;

function options() {
  const string = { type: 'string' };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      prometheus: string,
      dashboards: { type: 'string', multiple: true, default: [] },
      out: string,
      theme: { type: 'string', default: 'both' },
      width: { type: 'string', default: '1280' },
      scale: { type: 'string', default: '1' },
      top: { type: 'string', default: '0' },
      timeout: { type: 'string', default: '60' },
      dashboard: string,
      var: { type: 'string', multiple: true, default: [] },
      name: string,
      now: string,
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const files = [...values.dashboards, ...positionals];
  const themes = { dark: ['dark'], light: ['light'], both: ['dark', 'light'] }[values.theme];
  const now = values.now ? Date.parse(values.now) : Date.now();
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  if (!values.prometheus || !values.out || !files.length || !themes || Number.isNaN(now)) {
    throw new Error(`missing or wrong argument\n${usage}`);
  }
  const chosen = values.var.map((text) => {
    const [, uid, name, value] = /^([^/]+)\/([^=]+)=(.*)$/s.exec(text) ?? [];
    if (!uid) {
      throw new Error(`read --var ${text}: want UID/NAME=VALUE`);
    }
    return { uid, name, values: value.split(',') };
  });
  return { ...values, files, themes, now, chosen, width: Number(values.width), scale: Number(values.scale), top: Number(values.top), timeout: Number(values.timeout) * 1000 };
}

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [path.join(here, 'src/main.tsx')],
    bundle: true,
    write: false,
    outdir: '/',
    minify: true,
    legalComments: 'none',
    logLevel: 'error',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
    loader: { '.svg': 'text', '.ttf': 'empty', '.woff': 'empty', '.woff2': 'empty' },
  });
  const page = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><link rel="stylesheet" href="/main.css"><style>body{margin:0}</style><div id="root"></div><script src="/main.js"></script>';
  return new Map([['/', Buffer.from(page)], ...outputFiles.map((file) => [file.path, Buffer.from(file.contents)])]);
}

const types = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };

/** Grafana's paths for icons and fonts, and where the npm packages have them. */
const assets = [
  [/^\/public\/build\/img\/(icons\/.+\.svg)$/, (match) => module(`@grafana/ui/dist/public/img/${match[1]}`)],
  [/^\/public\/fonts\/inter\/(Inter-\w+\.woff2)$/, (match) => module(`inter-ui/web/${match[1]}`)],
  [/^\/public\/fonts\/roboto\//, () => module('@fontsource/roboto-mono/files/roboto-mono-latin-400-normal.woff2')],
];

async function serve(files, prometheus) {
  const server = http.createServer(async (request, response) => {
    const { pathname, search } = new URL(request.url, 'http://localhost');
    try {
      if (pathname.startsWith('/api/')) {
        await proxy(request, response, `${prometheus.replace(/\/$/, '')}${pathname}${search}`);
        return;
      }
      const asset = assets.map(([pattern, locate]) => [pattern.exec(pathname), locate]).find(([match]) => match);
      const body = files.get(pathname) ?? (asset && (await readFile(asset[1](asset[0]))));
      response.writeHead(body ? 200 : 404, { 'Content-Type': types[path.extname(pathname)] ?? 'text/html' });
      response.end(body);
    } catch (err) {
      response.writeHead(pathname.startsWith('/api/') ? 502 : 404);
      response.end(JSON.stringify({ status: 'error', error: `ask ${prometheus}: ${err.cause?.message ?? err.message}` }));
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

async function proxy(request, response, url) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const answer = await fetch(url, {
    method: request.method,
    headers: request.method === 'POST' ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {},
    body: chunks.length ? Buffer.concat(chunks) : undefined,
  });
  response.writeHead(answer.status, { 'Content-Type': 'application/json' });
  response.end(Buffer.from(await answer.arrayBuffer()));
}

/** Runs in the page: lets its clock start at the time given and go on from there. */
function setClock(now) {
  const Real = Date;
  const offset = now - Real.now();
  window.Date = class extends Real {
    constructor(...args) {
      args.length ? super(...args) : super(Real.now() + offset);
    }
    static now() {
      return Real.now() + offset;
    }
  };
}

/** Draws one dashboard in one theme. Gives the page's report, with what the browser complained of. */
async function photograph(browser, url, job, file, { now, width, top, scale, timeout }) {
  const page = await browser.newPage();
  const complaints = [];
  page.on('pageerror', (err) => complaints.push(`page: ${err.message}`));
  // The page itself tells of Prometheus' refusals, and better.
  const ofPrometheus = (url = '') => new URL(url, 'http://localhost').pathname.startsWith('/api/');
  page.on('console', (message) => {
    const { url } = message.location();
    if (message.type() === 'error' && !ofPrometheus(url)) {
      complaints.push(`page: ${message.text()} ${url ?? ''}`);
    }
  });
  try {
    await page.emulateTimezone('UTC');
    await page.setViewport({ width, height: 800, deviceScaleFactor: scale });
    await page.evaluateOnNewDocument(setClock, now);
    await page.evaluateOnNewDocument((given) => (window.previewJob = given), job);
    await page.goto(url);
    await page.waitForFunction(() => window.previewReport, { timeout });
    const height = await page.evaluate(() => document.querySelector('#root').scrollHeight);
    // A canvas may be redrawn when the window grows, so it grows before the picture.
    await page.setViewport({ width, height: Math.max(height, 200), deviceScaleFactor: scale });
    await page.evaluate(() => new Promise((done) => setTimeout(done, 300)));
    await page.screenshot(top ? { path: file, clip: { x: 0, y: 0, width, height: top } } : { path: file });
    const report = await page.evaluate(() => window.previewReport);
    return { ...report, errors: [...report.errors, ...complaints] };
  } catch (err) {
    return { errors: [...complaints, `page: ${err.message}`], notes: [], empty: [] };
  } finally {
    await page.close();
  }
}

async function readDashboards(files) {
  return Promise.all(
    files.map(async (file) => ({ file: path.basename(file, '.json'), json: JSON.parse(await readFile(file, 'utf8')) }))
  );
}

async function main() {
  const given = options();
  const dashboards = await readDashboards(given.files);
  const wanted = dashboards.filter(({ json }) => !given.dashboard || json.uid === given.dashboard);
  if (!wanted.length) {
    throw new Error(`find the dashboard ${given.dashboard}: the files have ${dashboards.map(({ json }) => json.uid).join(', ')}`);
  }
  const siblings = dashboards.map(({ json: { uid, title, tags = [] } }) => ({ uid, title, tags }));
  await mkdir(given.out, { recursive: true });
  const server = await serve(await bundle(), given.prometheus);
  const { browser, close } = await launch();
  let failed = false;
  try {
    for (const { file, json } of wanted) {
      const chosen = Object.fromEntries(given.chosen.filter(({ uid }) => uid === json.uid).map(({ name, values }) => [name, values]));
      for (const theme of given.themes) {
        const picture = path.join(given.out, [file, given.name, theme].filter(Boolean).join('-') + '.png');
        const job = { dashboard: json, siblings, theme, width: given.width, chosen };
        const started = performance.now();
        const { errors, notes, empty } = await photograph(browser, `http://127.0.0.1:${server.address().port}/`, job, picture, given);
        const bad = errors.length > 0 || (given.strict && empty.length > 0);
        failed ||= bad;
        console.log(`${bad ? 'FAILED' : 'drew'} ${picture} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
        errors.forEach((line) => console.error(`  error: ${json.uid}: ${line}`));
        empty.forEach((line) => console.error(`  ${given.strict ? 'error' : 'empty'}: ${json.uid}: ${line}`));
        notes.forEach((line) => console.error(`  note: ${json.uid}: ${line}`));
      }
    }
  } finally {
    await close();
    server.close();
  }
  return failed ? 1 : 0;
}

process.exitCode = await main().catch((err) => {
  console.error(`render: ${err.message}`);
  return 2;
});
