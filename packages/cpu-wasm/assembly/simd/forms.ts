/** What the instructions' files share: prefixes of {@link key}, and room for two operands and a result. */

/** Prefix of an instruction in {@link key}. */
export const NP: u32 = 0;
export const P66: u32 = 1;
export const PF3: u32 = 2;
export const PF2: u32 = 3;

/** Two operands and a result, for instructions that work element by element. */
export const X: u32 = memory.data(48, 16) as u32;
export const Y: u32 = X + 16;
export const Z: u32 = X + 32;
