/** One wire carrying a level. Setting the level it already has is allowed and does nothing. */
export interface IrqLine {
  set(level: boolean): void;
}

/** A device's input pin. The machine connects lines to pins; a pin is called only when the level may have changed. */
export type InputPin = (level: boolean) => void;

/** A line that goes nowhere: an unconnected output pin. */
export const unconnected: IrqLine = { set() {} };
