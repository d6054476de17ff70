import { defineConfig } from 'vitest/config';

/** Suites that need real parts (QEMU, SeaBIOS, nasm, Chromium) and the built command line. Two files at a time: each runs machines of its own. */
export default defineConfig({
  resolve: { conditions: ['@pagurus/source'] },
  ssr: { resolve: { conditions: ['@pagurus/source'] } },
  test: { include: ['test/interop/**/*.test.ts'], maxWorkers: 2, testTimeout: 300_000, hookTimeout: 120_000 },
});
