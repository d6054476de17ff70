import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withParts } from './parts.js';
import { ROOT } from './process.js';

const SITE = join(ROOT, 'tools/web/dist/site');
const TYPES: Record<string, string> = { html: 'text/html', js: 'text/javascript', wasm: 'application/wasm' };

/** Serves the built page on a free port of this host. */
async function serve(): Promise<Server> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    const file = join(SITE, path === '/' ? 'index.html' : path);
    if (!file.startsWith(SITE) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[file.split('.').pop() ?? ''] ?? 'application/octet-stream' });
    response.end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

withParts('a machine in a page', ['chromium'], () => {
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    const build = spawnSync(process.execPath, [join(ROOT, 'node_modules/vite/bin/vite.js'), 'build'], {
      cwd: join(ROOT, 'tools/web'),
      encoding: 'utf8',
    });
    expect(build.status, build.stdout + build.stderr).toBe(0);
    server = await serve();
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    });
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  it('runs the embedded guest, keeps its state in the browser and goes on after a reload', async () => {
    const page = await (await browser.newContext({ viewport: { width: 960, height: 1000 } })).newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const beats = async () => [...((await page.textContent('#serial')) ?? '').matchAll(/beat (\d+) .*err=(\d+)/g)];
    await page.waitForFunction(() => /beat 4 /.test(document.getElementById('serial')?.textContent ?? ''), undefined, {
      timeout: 60_000,
    });
    expect(await page.textContent('#state')).toBe('running');

    // Keys reach the guest through the PS/2 keyboard.
    await page.focus('#screen');
    await page.keyboard.type('ticks\n', { delay: 30 });
    await page.waitForFunction(() => /ticks[\s\S]*ticks/.test(document.getElementById('serial')?.textContent ?? ''), undefined, {
      timeout: 20_000,
    });

    await page.click('#save');
    await page.waitForFunction(() => /saved \d+ bytes/.test(document.getElementById('message')?.textContent ?? ''));
    const last = Number((await beats()).at(-1)![1]);
    if (process.env.PAGURUS_SCREENSHOT) await page.screenshot({ path: process.env.PAGURUS_SCREENSHOT });

    await page.reload();
    await page.waitForFunction(() => document.getElementById('state')?.textContent === 'running', undefined, { timeout: 60_000 });
    await page.click('#load');
    await page.waitForFunction(
      (before) => {
        const numbers = [...(document.getElementById('serial')?.textContent ?? '').matchAll(/beat (\d+) /g)].map((match) =>
          Number(match[1]),
        );
        return Math.max(0, ...numbers) > before + 2;
      },
      last,
      { timeout: 60_000 },
    );
    const after = await beats();
    expect(after.every(([, , corrupt]) => corrupt === '0')).toBe(true);
    expect(errors).toEqual([]);
  });
});
