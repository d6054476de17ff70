/** Statements and expressions of ACPI machine language. [ACPI] 6.5, 20.2.5.3, 20.2.5.4, 20.2.6 */
import { type Aml, integer, name, sized } from './aml.js';
import { bytes, concat } from './bytes.js';

/** [ACPI] 20.3 */
const OP = {
  LOCAL0: 0x60,
  ARG0: 0x68,
  STORE: 0x70,
  ADD: 0x72,
  SUBTRACT: 0x74,
  SHIFT_LEFT: 0x79,
  AND: 0x7b,
  OR: 0x7d,
  FIND_SET_RIGHT_BIT: 0x82,
  NOTIFY: 0x86,
  INDEX: 0x88,
  CREATE_DWORD_FIELD: 0x8a,
  LAND: 0x90,
  LOR: 0x91,
  LNOT: 0x92,
  LEQUAL: 0x93,
  LLESS: 0x95,
  IF: 0xa0,
  ELSE: 0xa1,
  WHILE: 0xa2,
  RETURN: 0xa4,
  BREAK: 0xa5,
  EXTENDED: 0x5b,
} as const;

const EXTENDED_OP = { ACQUIRE: 0x23, RELEASE: 0x27 } as const;

/** Target of an expression whose value is only used, not kept. */
const NOWHERE = bytes(0);
const FOREVER = bytes(0xff, 0xff);

/** Local0 to Local7. [ACPI] 20.2.6.2 */
export const local = (n: number): Aml => bytes(OP.LOCAL0 + within(n, 8));
/** Arg0 to Arg6. [ACPI] 20.2.6.1 */
export const arg = (n: number): Aml => bytes(OP.ARG0 + within(n, 7));

function within(n: number, count: number): number {
  if (!Number.isInteger(n) || n < 0 || n >= count) throw new RangeError(`no local or argument ${n}`);
  return n;
}

const binary =
  (opcode: number) =>
  (a: Aml, b: Aml, target: Aml = NOWHERE): Aml =>
    concat(bytes(opcode), a, b, target);

export const add = binary(OP.ADD);
export const subtract = binary(OP.SUBTRACT);
export const and = binary(OP.AND);
export const or = binary(OP.OR);
export const shiftLeft = binary(OP.SHIFT_LEFT);
/** Number of the lowest set bit, counted from one; zero for none. */
export const findSetRightBit = (value: Aml, target: Aml = NOWHERE): Aml => concat(bytes(OP.FIND_SET_RIGHT_BIT), value, target);

/** An element of a package, to read or to store into. */
export const element = (source: Aml, number: number): Aml => concat(bytes(OP.INDEX), source, integer(number), NOWHERE);

export const lAnd = (a: Aml, b: Aml): Aml => concat(bytes(OP.LAND), a, b);
export const lOr = (a: Aml, b: Aml): Aml => concat(bytes(OP.LOR), a, b);
export const lNot = (a: Aml): Aml => concat(bytes(OP.LNOT), a);
export const equal = (a: Aml, b: Aml): Aml => concat(bytes(OP.LEQUAL), a, b);
export const less = (a: Aml, b: Aml): Aml => concat(bytes(OP.LLESS), a, b);

export const store = (value: Aml, target: Aml): Aml => concat(bytes(OP.STORE), value, target);
export const notify = (object: string, value: Aml): Aml => concat(bytes(OP.NOTIFY), name(object), value);
export const call = (path: string, ...values: readonly Aml[]): Aml => concat(name(path), ...values);
export const returns = (value: Aml): Aml => concat(bytes(OP.RETURN), value);
export const breaks = (): Aml => bytes(OP.BREAK);

export const when = (condition: Aml, ...terms: readonly Aml[]): Aml => sized(bytes(OP.IF), condition, ...terms);
/** Directly behind a {@link when}. */
export const otherwise = (...terms: readonly Aml[]): Aml => sized(bytes(OP.ELSE), ...terms);
export const whilst = (condition: Aml, ...terms: readonly Aml[]): Aml => sized(bytes(OP.WHILE), condition, ...terms);

/** A name for four bytes of a buffer. */
export const createDwordField = (source: Aml, byte: number, path: string): Aml =>
  concat(bytes(OP.CREATE_DWORD_FIELD), source, integer(byte), name(path));

/** `terms` while the mutex is held. Nothing among them may return. */
export const locked = (path: string, ...terms: readonly Aml[]): Aml =>
  concat(
    concat(bytes(OP.EXTENDED, EXTENDED_OP.ACQUIRE), name(path), FOREVER),
    ...terms,
    concat(bytes(OP.EXTENDED, EXTENDED_OP.RELEASE), name(path)),
  );
