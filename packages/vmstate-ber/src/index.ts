export { checkBer } from './check.js';
export { type BerSection, fromBer, readBerSection } from './decode.js';
export { toBer } from './encode.js';
export { type AsnComponent, type AsnModule, type AsnType, asnModule, moduleText } from './module.js';
export { ModuleSyntaxError, parseModule } from './parse-module.js';
export { treeFromValue, treeTypes, treeValue } from './tree-types.js';
export { type AsnValue, valueFromBer, valueToBer } from './values.js';
