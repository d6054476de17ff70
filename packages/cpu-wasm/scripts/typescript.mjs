/**
 * Lets the scripts beside this file import the package's TypeScript sources without a build:
 * `node --import ./typescript.mjs` or `import './typescript.mjs'` before a dynamic import.
 */
import { register } from 'node:module';

const hooks = `
import { readFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import typescript from '${import.meta.resolve('typescript')}';
export async function resolve(specifier, context, next) {
  if (/^\\.{1,2}\\//.test(specifier) && specifier.endsWith('.js') && context.parentURL?.endsWith('.ts')) {
    const url = new URL(specifier.replace(/\\.js$/, '.ts'), context.parentURL);
    if (existsSync(fileURLToPath(url))) return { url: url.href, shortCircuit: true };
  }
  return next(specifier, { ...context, conditions: ['@pagurus/source', ...context.conditions] });
}
export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const { outputText } = typescript.transpileModule(readFileSync(fileURLToPath(url), 'utf8'), {
    compilerOptions: { target: 'ES2022', module: 'ESNext', verbatimModuleSyntax: true, inlineSourceMap: true },
    fileName: fileURLToPath(url),
  });
  return { format: 'module', source: outputText, shortCircuit: true };
}
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
