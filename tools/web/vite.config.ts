import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  resolve: { conditions: ['@pagurus/source', 'module', 'browser'] },
  worker: { format: 'es' },
  build: { target: 'es2022', outDir: 'dist/site', emptyOutDir: true },
});
