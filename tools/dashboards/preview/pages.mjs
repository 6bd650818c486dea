#!/usr/bin/env node
// Looks at pages in headless Chromium: reads visits as JSON from standard input,
// and writes as JSON what was seen, in the same order.
//
// A visit is {url, width, height, scheme: light|dark, picture, whole, fill}: picture
// is the file to write, of the whole page or of the window; fill says what to type
// into the fields of the form, by name, before it is sent.

import { text } from 'node:stream/consumers';
import { launch } from './browser.mjs';

/** Runs in the page. Says how it is laid out and how well it can be read. */
function look() {
  const box = (selector) => {
    const element = document.querySelector(selector);
    const { top = 0, bottom = 0, height = 0 } = element?.getBoundingClientRect() ?? {};
    return { there: Boolean(element) && height > 0, top, bottom, text: element?.textContent.trim() ?? '' };
  };
  const name = (element) => `${element.localName}${element.className ? '.' + element.className : ''} "${element.textContent.trim().slice(0, 40)}"`;
  const visible = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && element.getClientRects().length > 0;
  // What is clipped away is for those who have it read to them.
  const clipped = (element) => [element.closest('thead'), element.closest('td')].some((part) => part && getComputedStyle(part).clipPath !== 'none');
  const all = [...document.body.querySelectorAll('*')].filter((element) => visible(element) && !clipped(element));
  const beyond = all.filter((element) => element.localName === 'table' && element.getBoundingClientRect().right > element.closest('section').getBoundingClientRect().right);
  const cut = beyond.concat(all.filter((element) => element.getBoundingClientRect().right > innerWidth + 1 || (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== 'visible')));

  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const parse = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) {
        return colour;
      }
    }
    return [255, 255, 255, 255];
  };
  const ratio = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const worst = { ratio: 21, of: '' };
  const note = (found, of) => {
    if (found < worst.ratio) {
      Object.assign(worst, { ratio: found, of });
    }
  };
  for (const element of all) {
    const says = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (says || ['INPUT', 'SELECT', 'BUTTON'].includes(element.tagName)) {
      note(ratio(parse(getComputedStyle(element).color), behind(element)), name(element));
    }
    if (element.placeholder) {
      note(ratio(parse(getComputedStyle(element, '::placeholder').color), behind(element)), `placeholder ${element.placeholder}`);
    }
    for (const pseudo of ['::before', '::after']) {
      if (!['none', 'normal', '""'].includes(getComputedStyle(element, pseudo).content)) {
        note(ratio(parse(getComputedStyle(element, pseudo).color), behind(element)), `${pseudo} of ${name(element)}`);
      }
    }
  }
  return {
    mode: document.compatMode,
    width: document.documentElement.scrollWidth,
    cut: cut.slice(0, 5).map(name),
    state: document.querySelector('.state')?.className ?? '',
    sentence: box('.sentence'),
    finding: box('.findings tbody tr'),
    findings: document.querySelectorAll('.findings tbody tr').length,
    accounts: document.querySelectorAll('.accounts tbody tr').length,
    worst,
    light: luminance(parse(getComputedStyle(document.body).backgroundColor)) > 0.5,
  };
}

async function visit(browser, { url, width, height, scheme, picture, whole, fill }) {
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (err) => complaints.push(`error: ${err.message}`));
  page.on('requestfailed', (request) => complaints.push(`not loaded: ${request.url()}`));
  page.on('response', (response) => response.status() >= 400 && complaints.push(`status ${response.status()}: ${response.url()}`));
  try {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.setViewport({ width, height });
    const began = performance.now();
    await page.goto(url, { waitUntil: 'load' });
    const took = performance.now() - began;
    if (fill) {
      await page.click('.filter summary'); // it is folded away
    }
    for (const [field, value] of Object.entries(fill ?? {})) {
      await page.type(`[name=${field}]`, value);
    }
    if (fill) {
      await Promise.all([page.waitForNavigation(), page.click('form button')]);
    }
    const seen = await page.evaluate(look);
    if (picture) {
      await page.screenshot({ path: picture, fullPage: Boolean(whole) });
    }
    return { ...seen, complaints, took, url: page.url() };
  } finally {
    await page.close();
  }
}

const visits = JSON.parse(await text(process.stdin));
const { browser, close } = await launch();
try {
  const seen = [];
  for (const wanted of visits) {
    seen.push(await visit(browser, wanted));
  }
  process.stdout.write(JSON.stringify(seen));
} finally {
  await close();
}
