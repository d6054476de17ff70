/** Every opcode form that user-mode code can execute, with its cells: `mode/operand size`, size 0 where the form has none. */
export function forms(): Map<string, Set<string>>;
/** Form and cell of an instruction; undefined where the decode table has none. */
export function classify(code: Uint8Array, mode: number): { form: string; cell: string } | undefined;
