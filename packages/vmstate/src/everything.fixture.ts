/** One description with every kind of field, for tests that must hold for all of them. */
import { type Codec, fieldsOf, type TreeNode, vmstate } from './index.js';

export class Point {
  /** How many there have been, to prove that hostile input makes no more than its bounds allow. */
  static made = 0;
  x = 0;
  y = 0n;
  constructor() {
    Point.made++;
  }
}
const p = fieldsOf<Point>();
export const point = vmstate<Point>({
  name: 'point',
  version: 2,
  minVersion: 1,
  fields: [p.i16('x'), p.u64('y', 'y', { since: 2 })],
});

/** Has subsections of its own, so that arrays of it are not compressible. */
export class Drive {
  static made = 0;
  track = 0;
  rate = 0;
  constructor() {
    Drive.made++;
  }
}
const d = fieldsOf<Drive>();
export const drive = vmstate<Drive>({
  name: 'drive',
  version: 1,
  fields: [d.u8('track')],
  subsections: [
    vmstate<Drive>({ name: 'drive/rate', version: 1, needed: (s) => s.rate !== 0, fields: [d.u8('rate', 'media_rate')] }),
  ],
});

/** Length-prefixed ASCII: what no other kind can declare. */
const asciiCodec: Codec<string> = {
  type: 'ascii',
  minSize: 1,
  maxSize: 256,
  get: (reader) => String.fromCharCode(...reader.bytes(reader.u8())),
  put: (writer, value) => {
    writer.u8(value.length);
    for (const character of value) writer.u8(character.charCodeAt(0));
  },
  toJson: (value) => value,
  fromJson: (json) => {
    if (typeof json !== 'string' || json.length > 255) throw new Error('a short text is expected');
    return json;
  },
  jsonSchema: { type: 'string', maxLength: 255 },
  examples: ['', 'running', 'x'.repeat(255)],
};

export class Everything {
  u8 = 0;
  u16 = 0;
  u32 = 0;
  u64 = 0n;
  i8 = 0;
  i16 = 0;
  i32 = 0;
  i64 = 0n;
  flag = false;
  flagAsInt = false;
  same = 7;
  same64 = 0x1234_5678_9abc_def0n;
  atMost = 5;
  deadline = -1n;
  deadlines = [-1n, -1n];
  half = 0n;
  fd = -1;
  readonly raw = new Uint8Array(9);
  readonly partOf = new Uint8Array(20);
  size = 0;
  sized = new Uint8Array(0);
  counted = new Uint8Array(0);
  bits = 0;
  bitmap = new Uint8Array(0);
  readonly fixedBits = new Uint8Array(16);
  readonly words = new Uint16Array(3);
  readonly longs = new BigInt64Array(2);
  plain = [0, 0, 0];
  booleans = [false, false];
  bytesOfBool = [false, false, false];
  count = 0;
  varying: number[] = [];
  typed = new Uint32Array(2);
  readonly point = new Point();
  readonly old = new Point();
  optional: Point | null = new Point();
  readonly points = [new Point(), new Point()];
  readonly drives = [new Drive(), new Drive()];
  manyPoints: Point[] = [];
  many = 0;
  scalarPointers: (number | null)[] = [1, null, 3];
  structPointers: (Point | null)[] = [new Point(), null];
  markedPointers: (Point | null)[] = [null, null, null];
  list: Drive[] = [];
  tree: TreeNode<Point, Drive>[] = [];
  direct: TreeNode<bigint, Point>[] = [];
  celsius = 0;
  text = '';
  late = 0;
  twin0 = 0;
  twin1 = 0;
}

/** The temperature travels as a raw sensor value. */
class Sensor {
  raw = 0;
  constructor(readonly parent: Everything) {}
}
const sensor = vmstate<Sensor>({
  name: 'sensor',
  version: 0,
  preSave: (s) => {
    s.raw = s.parent.celsius + 273;
  },
  postLoad: (s) => {
    s.parent.celsius = s.raw - 273;
  },
  fields: [fieldsOf<Sensor>().i32('raw')],
});

const f = fieldsOf<Everything>();
const inner = vmstate<Everything>({ name: 'inner', version: 1, fields: [f.u8('twin0', 'twin'), f.u8('twin1', 'twin')] });

export const everything = vmstate<Everything>({
  name: 'everything',
  version: 3,
  minVersion: 2,
  fields: [
    f.u8('u8'),
    f.u16('u16'),
    f.u32('u32'),
    f.u64('u64'),
    f.i8('i8'),
    f.i16('i16'),
    f.i32('i32'),
    f.i64('i64'),
    f.bool('flag'),
    f.boolAs('u32', 'flagAsInt', 'flag_as_int'),
    f.equal('u8', 'same'),
    f.equal('u64', 'same64', 'same64', { hint: 'set by a property' }),
    f.lessOrEqual('atMost', 'at_most'),
    f.timer('deadline'),
    f.timers('deadlines'),
    f.double('half'),
    f.fd('fd'),
    f.bytes('raw'),
    f.bytes('partOf', 'part_of', { start: 3, length: 5 }),
    f.u32('size'),
    f.sizedBytes('sized', 'sized', { size: 'size', max: 64, multiply: 2 }),
    f.byteArray('counted', 'counted', { max: 32 }),
    f.i32('bits'),
    f.bitmap('bitmap', 'bitmap', { bits: 'bits', max: 200 }),
    f.bitmap('fixedBits', 'fixed_bits', { bits: 70 }),
    f.array('u16', 'words'),
    f.array('i64', 'longs'),
    f.array('i8', 'plain', 'plain', { start: 1 }),
    f.boolArray('u16', 'booleans'),
    f.boolArray('bool', 'bytesOfBool', 'bytes_of_bool'),
    f.u16('count'),
    f.varArray('u16', 'varying', 'varying', { count: 'count', max: 20 }),
    f.varArray('u32', 'typed', 'typed', { count: 'count', max: 60, multiply: 3 }),
    f.unusedArray(2, { count: 'count', max: 20 }, { wire: 'reserved' }),
    f.struct('point', 'point', point),
    f.struct('old', 'old', point, { atVersion: 1 }),
    f.pointer('optional', 'optional', point, { when: (s) => s.optional !== null }),
    f.inline('inner', inner),
    f.structArray('points', 'points', point),
    f.structArray('drives', 'drives', drive),
    f.u8('many'),
    f.varStructArray('manyPoints', 'many_points', point, { count: 'many', max: 6, create: () => new Point() }),
    f.scalarPointers('i32', 'scalarPointers', 'scalar_pointers'),
    f.structPointers('structPointers', 'struct_pointers', point, { create: () => new Point() }),
    f.structPointers('markedPointers', 'marked_pointers', point, { create: () => new Point(), marks: 'each' }),
    f.list('list', 'list', drive, { create: () => new Drive(), max: 8 }, { since: 1 }),
    f.tree<Point, Drive>(
      'tree',
      'tree',
      drive,
      { create: () => new Drive(), max: 8, keys: { description: point, create: () => new Point() } },
      { since: 1 },
    ),
    f.tree<bigint, Point>('direct', 'direct', point, { create: () => new Point(), max: 8 }, { since: 2 }),
    f.tmp('sensor', sensor, (parent) => new Sensor(parent)),
    f.unused(3),
    f.validate('size is even or odd', () => true),
    f.custom('text', 'text', asciiCodec),
    f.u16('late', 'late', { since: 3 }),
    f.u8('twin0', 'twin', { when: (s) => s.flag }),
    f.u8('twin1', 'twin', { when: (s) => !s.flag }),
  ],
  subsections: [
    vmstate<Everything>({
      name: 'everything/late',
      version: 2,
      minVersion: 1,
      needed: (s) => s.late > 9,
      fields: [f.u16('late')],
    }),
    vmstate<Everything>({ name: 'everything/always', version: 1, fields: [f.u8('u8')] }),
  ],
});
