// The browser that dashboards and pages are seen in.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import puppeteer from 'puppeteer-core';

function findChromium() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const places = (process.env.PATH ?? '').split(path.delimiter).flatMap((dir) => names.map((name) => path.join(dir, name)));
  const found = process.env.CHROMIUM ?? places.find((place) => existsSync(place));
  if (!found) {
    throw new Error(`find a browser: none of ${names.join(', ')} on PATH; name one in $CHROMIUM`);
  }
  return found;
}

/** Starts a browser that reaches nothing but this machine; close ends it. */
export async function launch() {
  const profile = await mkdtemp(path.join(tmpdir(), 'dashboard-preview-'));
  const browser = await puppeteer.launch({
    executablePath: findChromium(),
    userDataDir: profile,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--hide-scrollbars', '--font-render-hinting=none', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
    ],
  });
  return {
    browser,
    close: async () => {
      await browser.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
