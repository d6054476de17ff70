import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** One vitest project per package; tests run on sources through the `@pagurus/source` export condition. */
const projects = ['packages', 'tools'].flatMap((group) =>
  readdirSync(new URL(group, import.meta.url)).map((folder) => {
    const root = `${group}/${folder}`;
    const manifest = JSON.parse(readFileSync(new URL(`${root}/package.json`, import.meta.url), 'utf8')) as { name: string };
    return {
      extends: true as const,
      test: { name: manifest.name, root, include: ['src/**/*.test.ts'], passWithNoTests: true },
    };
  }),
);

export default defineConfig({
  resolve: { conditions: ['@pagurus/source'] },
  ssr: { resolve: { conditions: ['@pagurus/source'] } },
  test: { projects, testTimeout: 60_000 },
});
