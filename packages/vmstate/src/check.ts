/** Compares two schemas: will the one load what the other sends? The rules of QEMU's static checker, in words. */
import { nameAliases, sectionAliases } from './check-renames.js';
import type { MachineSchema, SchemaDescription, SchemaField, SchemaSection } from './schema.js';

/** Stable codes. */
export type FindingCode =
  | 'machine-differs'
  | 'section-missing'
  | 'version-newer'
  | 'version-too-old'
  | 'description-missing'
  | 'description-renamed'
  | 'entry-missing'
  | 'field-differs'
  | 'field-missing'
  | 'field-size'
  | 'subsection-missing'
  // of the effective check
  | 'field-not-sent'
  | 'field-not-expected'
  | 'value-differs'
  | 'predicate-differs';

export interface Finding {
  readonly code: FindingCode;
  /** An error breaks every migration, a `maybe` some; a warning none. */
  readonly severity: 'error' | 'maybe' | 'warning';
  /** Name of the section (device class) in the source. */
  readonly section: string;
  /** e.g. `e1000.parent_obj.config`, of wire names. */
  readonly path: string;
  readonly message: string;
  readonly expected?: string;
  readonly got?: string;
}

export interface CheckOptions {
  /**
   * The source is what one stream sent (`schemaFromVmdesc`): sections are paired by description, fields that the destination may leave
   * out may be absent, and names may carry `[k]`.
   */
  readonly stream?: boolean;
}

/** Everything that keeps `destination` from loading what `source` sends. The number of errors is `breaks(findings)`. */
export function checkSchemas(source: MachineSchema, destination: MachineSchema, options: CheckOptions = {}): Finding[] {
  const found: Finding[] = [];
  const check = new Check(found, options.stream === true);
  const [from, to] = [source.vmschkmachine?.Name, destination.vmschkmachine?.Name];
  if (from !== undefined && to !== undefined && from !== to && !options.stream) {
    found.push({
      code: 'machine-differs',
      severity: 'warning',
      section: '',
      path: '',
      message: `the machines are not the same: ${from} and ${to}`,
      expected: from,
      got: to,
    });
  }
  for (const [name, section] of sectionsOf(source)) check.section(name, section, destination);
  return found;
}

/** Errors among the findings, at most 255: an exit status. */
export function breaks(findings: readonly Finding[]): number {
  return Math.min(findings.filter(({ severity }) => severity === 'error').length, 255);
}

function sectionsOf(schema: MachineSchema): [string, SchemaSection][] {
  return Object.entries(schema).filter(
    (entry): entry is [string, SchemaSection] => entry[0] !== 'vmschkmachine' && entry[1] !== undefined,
  );
}

/** Sections of a PC that QEMU registers outside of device classes, so that its dumps lack them. */
const OUTSIDE_DUMPS: ReadonlySet<string> = new Set([
  'ram',
  'timer',
  'cpu_common',
  'cpu',
  'apic',
  'kvm-tpr-opt',
  'PCIBUS',
  'i2c_bus',
  'ide',
  'isa-ide',
  'acpi_build',
  'globalstate',
  'slirp',
  'dirty-bitmap',
]);

class Check {
  private where = '';

  constructor(
    private readonly found: Finding[],
    private readonly stream: boolean,
  ) {}

  section(name: string, source: SchemaSection, schema: MachineSchema): void {
    this.where = name;
    const destination = this.counterpart(name, source, schema);
    if (!destination) {
      const hidden = this.stream && OUTSIDE_DUMPS.has(source.Description?.name ?? name);
      if (hidden)
        this.report('warning', 'section-missing', name, `a dump does not show '${name}', which no device class registers`, name);
      else this.error('section-missing', name, `the destination has no section '${name}'`, name);
      return;
    }
    this.versions(name, source, destination);
    const path = source.Description?.name ?? name;
    if (source.Description && !destination.Description) {
      this.error('entry-missing', path, `the destination has no description of '${name}'`, 'Description');
    } else if (source.Description) this.description(path, source.Description, destination.Description!, true);
  }

  private counterpart(name: string, source: SchemaSection, schema: MachineSchema): SchemaSection | undefined {
    const sections = sectionsOf(schema);
    if (this.stream) {
      const candidates = sections.filter(([, one]) => one.Description?.name === source.Description?.name);
      // Several device classes may share a description; any of them will do, the one with the fewest objections says most.
      const judged = candidates.map(([, one]) => ({ one, errors: this.objections(source, one) }));
      return judged.sort((a, b) => a.errors - b.errors)[0]?.one;
    }
    const names = new Set([name, ...sectionAliases(name)]);
    return sections.find(([key]) => names.has(key))?.[1];
  }

  private objections(source: SchemaSection, destination: SchemaSection): number {
    const found: Finding[] = [];
    const trial = new Check(found, this.stream);
    trial.versions('', source, destination);
    trial.description('', source.Description!, destination.Description!, true);
    return found.length;
  }

  private versions(path: string, source: Versions, destination: Versions): void {
    if (source.version_id > destination.version_id) {
      const [got, expected] = [String(source.version_id), `${destination.minimum_version_id} to ${destination.version_id}`];
      this.error('version-newer', path, `version ${got} is sent, the destination knows ${expected}`, expected, got);
    }
    if (source.version_id < destination.minimum_version_id) {
      const [got, expected] = [String(source.version_id), `${destination.minimum_version_id} to ${destination.version_id}`];
      this.error(
        'version-too-old',
        path,
        `version ${got} is sent, the destination reads from ${destination.minimum_version_id} on`,
        expected,
        got,
      );
    }
  }

  /** `top`: the section's versions are its description's; they are compared once. */
  private description(path: string, source: SchemaDescription, destination: SchemaDescription, top = false): void {
    const known = new Set([source.name, ...nameAliases(this.where, source.name)]);
    if (!known.has(destination.name)) {
      this.error(
        'description-renamed',
        path,
        `description '${source.name}' is '${destination.name}' in the destination; its fields are not compared`,
        source.name,
        destination.name,
      );
      return;
    }
    if (!top) this.versions(path, source, destination);
    if (source.Fields && !destination.Fields) this.error('entry-missing', path, 'the destination has no fields', 'Fields');
    else if (source.Fields) this.fields(path, source.name, source.Fields, destination.Fields!, source.version_id);
    this.subsections(path, source, destination);
  }

  private subsections(path: string, source: SchemaDescription, destination: SchemaDescription): void {
    const sent = source.Subsections ?? [];
    if (sent.length > 0 && !destination.Subsections) {
      this.error(
        'entry-missing',
        path,
        `the destination has no subsections; ${sent.map(({ name }) => name).join(', ')} may be sent`,
        'Subsections',
      );
      return;
    }
    for (const subsection of sent) {
      const short = subsection.name.startsWith(`${source.name}/`)
        ? subsection.name.slice(source.name.length + 1)
        : subsection.name;
      const match = destination.Subsections!.find(({ name }) => name === subsection.name);
      if (match) this.description(`${path}/${short}`, subsection, match);
      else
        this.error(
          'subsection-missing',
          `${path}/${short}`,
          `the destination has no subsection '${subsection.name}'`,
          subsection.name,
        );
    }
  }

  /** In order; the first real difference ends the list. */
  private fields(
    path: string,
    description: string,
    source: readonly SchemaField[],
    destination: readonly SchemaField[],
    version: number,
  ): void {
    const [left, right] = [new Cursor(source), new Cursor(destination)];
    for (let field = left.current; field; field = left.current) {
      const other = right.current;
      const at = `${path}.${field.field}`;
      if (!other) {
        this.error('field-missing', at, `field '${field.field}' is sent, the destination has no further fields`, field.field);
        return;
      }
      if (this.sameName(description, field, other, right.uniqueName)) {
        this.pair(at, field, other);
        left.next();
        right.next();
      } else if (startsWith(other, field)) right.descend();
      else if (startsWith(field, other)) left.descend();
      else if (this.stream && isOptional(other, version)) right.next();
      else if (skipUnused(left, right)) continue;
      else {
        this.error(
          'field-differs',
          at,
          `'${field.field}' is sent where the destination expects '${other.field}'; the rest is not compared`,
          other.field,
          field.field,
        );
        return;
      }
    }
  }

  /** `unique`: the destination's name as a stream prints it, with `[k]` where its description uses it more than once. */
  private sameName(description: string, source: SchemaField, destination: SchemaField, unique: string): boolean {
    if (source.field === (this.stream ? unique : destination.field)) return true;
    const alike = (source.Description === undefined) === (destination.Description === undefined);
    if (alike && nameAliases(description, source.field).includes(destination.field)) return true;
    return false;
  }

  private pair(path: string, source: SchemaField, destination: SchemaField): void {
    if (source.Description && destination.Description) this.description(path, source.Description, destination.Description);
    else if (source.Description)
      this.error('description-missing', path, `field '${source.field}' is no structure in the destination`, 'Description');
    else if (!destination.Description && source.size !== destination.size && !(this.stream && destination.size === 0)) {
      const [expected, got] = [String(destination.size), String(source.size)];
      this.error(
        'field-size',
        path,
        `field '${source.field}' is sent with ${got} bytes, the destination expects ${expected}`,
        expected,
        got,
      );
    }
  }

  private error(code: FindingCode, path: string, message: string, expected?: string, got?: string): void {
    this.report('error', code, path, message, expected, got);
  }

  private report(
    severity: Finding['severity'],
    code: FindingCode,
    path: string,
    message: string,
    expected?: string,
    got?: string,
  ): void {
    const details = { ...(expected === undefined ? {} : { expected }), ...(got === undefined ? {} : { got }) };
    this.found.push({ code, severity, section: this.where, path, message, ...details });
  }
}

interface Versions {
  readonly version_id: number;
  readonly minimum_version_id: number;
}

/** A place in a list of fields that can step into a nested structure and out again. */
class Cursor {
  private readonly stack: { fields: readonly SchemaField[]; at: number }[];
  /** Bytes of an unused field that are already spoken for. */
  used = 0;

  constructor(fields: readonly SchemaField[]) {
    this.stack = [{ fields, at: 0 }];
  }

  get current(): SchemaField | undefined {
    while (this.stack.length > 1 && this.stack.at(-1)!.at >= this.stack.at(-1)!.fields.length) this.stack.pop();
    const { fields, at } = this.stack.at(-1)!;
    return fields[at];
  }

  /** The current field's name, with `[k]` where its list has it more than once. */
  get uniqueName(): string {
    const { fields, at } = this.stack.at(-1)!;
    const name = fields[at]!.field;
    if (fields.filter(({ field }) => field === name).length === 1) return name;
    return `${name}[${fields.slice(0, at).filter(({ field }) => field === name).length}]`;
  }

  next(): void {
    this.used = 0;
    this.stack.at(-1)!.at++;
  }

  /** Goes on with the first field of the current one, and behind it afterwards. */
  descend(): void {
    const { Description } = this.current!;
    this.next();
    this.stack.push({ fields: Description!.Fields!, at: 0 });
  }
}

function startsWith(outer: SchemaField, field: SchemaField): boolean {
  return outer.Description?.Fields?.[0]?.field === field.field;
}

function isOptional(field: SchemaField, version: number): boolean {
  return field.field_exists || field.version_id > version;
}

/**
 * Unused bytes on one side stand for fields on the other, as long as sizes add up.
 * @returns true if a side has moved on.
 */
function skipUnused(left: Cursor, right: Cursor): boolean {
  const [a, b] = [left.current!, right.current!];
  if ((a.field === 'unused') === (b.field === 'unused')) return false;
  const [gap, filler] = a.field === 'unused' ? [left, right] : [right, left];
  const room = gap.current!.size - gap.used;
  const { size } = filler.current!;
  if (size === 0 || size > room || filler.current!.Description) return false;
  const used = gap.used + size;
  filler.next();
  if (size === room) gap.next();
  else gap.used = used;
  return true;
}
