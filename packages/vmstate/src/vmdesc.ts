/** The description JSON (`vmdesc`) that a stream carries behind its sections. Key order is QEMU's. */

/** What a VMStateDescription prints of itself. */
export interface VmdescMembers {
  vmsd_name: string;
  version: number;
  fields: VmdescField[];
  /** Only those that were sent. */
  subsections?: VmdescMembers[];
}

/** One field as sent. `size` is in bytes; of one element where `array_len` is given. */
export interface VmdescField {
  name: string;
  array_len?: number;
  index?: number;
  type: string;
  /** Type `struct`. Other nested types carry the members inline. */
  struct?: VmdescMembers;
  vmsd_name?: string;
  version?: number;
  fields?: VmdescField[];
  subsections?: VmdescMembers[];
  size: number;
}

/** An entry of `devices`: a section described by fields, or an opaque one (`size` and one `data` field). */
export type VmdescDevice = { name: string; instance_id: number } & (
  | VmdescMembers
  | { size: number; fields: VmdescField[]; vmsd_name?: undefined }
);

/** The whole document. */
export interface Vmdesc {
  configuration?: VmdescMembers;
  page_size: number;
  devices: VmdescDevice[];
}
