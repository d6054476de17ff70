import { defineConfig } from 'vitest/config';

/** Suites that need real parts (QEMU, SeaBIOS, nasm, Chromium) and the built command line. One file at a time: they measure and listen. */
export default defineConfig({
  resolve: { conditions: ['@pagurus/source'] },
  ssr: { resolve: { conditions: ['@pagurus/source'] } },
  test: { include: ['test/interop/**/*.test.ts'], fileParallelism: false, testTimeout: 300_000, hookTimeout: 120_000 },
});
