/** Compares effective schemas: finds what no comparison of descriptions can, because both sides have the same ones. */
import type { Finding, FindingCode } from './check.js';
import type { EffectiveDescription, EffectiveField } from './effective.js';

/** A configured machine: its sections by idstr (with `#instance` from the second on). */
export type EffectiveSchema = { readonly [section: string]: EffectiveDescription };

/**
 * Everything that keeps `destination` from loading what `source` sends, properties and predicates evaluated. `maybe`: only in some states
 * of the guest.
 */
export function checkEffective(source: EffectiveSchema, destination: EffectiveSchema): Finding[] {
  const check = new EffectiveCheck();
  for (const [name, section] of Object.entries(source)) check.section(name, section, destination[name]);
  return check.found;
}

class EffectiveCheck {
  readonly found: Finding[] = [];
  private where = '';

  section(name: string, source: EffectiveDescription, destination: EffectiveDescription | undefined): void {
    if (source.present === 'no') return;
    this.where = name;
    const severity = source.present === 'yes' ? 'error' : 'maybe';
    if (destination) this.description(source.name, source, destination, severity);
    else this.report(severity, 'section-missing', name, `section '${name}' ${sentText(source)}, the destination has none`);
  }

  private description(path: string, source: EffectiveDescription, destination: EffectiveDescription, severity: Severity): void {
    if (source.name !== destination.name) {
      this.report(
        severity,
        'description-renamed',
        path,
        `'${source.name}' is '${destination.name}' in the destination`,
        source.name,
        destination.name,
      );
      return;
    }
    const [sent, least, most] = [source.version_id, destination.minimum_version_id, destination.version_id];
    if (sent > most || sent < least) {
      const code = sent > most ? 'version-newer' : 'version-too-old';
      this.report(
        severity,
        code,
        path,
        `version ${sent} is sent, the destination reads ${least} to ${most}`,
        `${least} to ${most}`,
        String(sent),
      );
      return;
    }
    this.fields(path, source, destination, severity);
    for (const subsection of source.Subsections) {
      if (subsection.present === 'no') continue;
      const how = subsection.present === 'yes' ? severity : 'maybe';
      const short = subsection.name.startsWith(`${source.name}/`)
        ? subsection.name.slice(source.name.length + 1)
        : subsection.name;
      const at = `${path}/${short}`;
      const other = destination.Subsections.find(({ name }) => name === subsection.name);
      if (other) this.description(at, subsection, other, how);
      else
        this.report(
          how,
          'subsection-missing',
          at,
          `subsection '${subsection.name}' ${sentText(subsection)}, the destination does not know it`,
        );
    }
  }

  /** Pairs what may be on the wire on either side, in order; the first field that cannot be paired ends the list. */
  private fields(path: string, source: EffectiveDescription, destination: EffectiveDescription, severity: Severity): void {
    const left = source.Fields.filter((field) => field.present !== 'no');
    const loads = destination.Fields.map((field) => atVersion(field, source.version_id));
    const right = loads.filter((field) => field.present !== 'no');
    let i = 0;
    let j = 0;
    while (i < left.length || j < right.length) {
      const [a, b] = [left[i], right[j]];
      const at = `${path}.${(a ?? b)!.field}`;
      if (a && b && a.field === b.field) {
        this.pair(at, a, b, severity);
        i++;
        j++;
      } else if (b && (!a || !left.some(({ field }) => field === b.field))) {
        const how = b.present === 'yes' ? severity : 'maybe';
        this.report(
          how,
          'field-not-sent',
          `${path}.${b.field}`,
          `the destination expects '${b.field}'${ifText(b)}, the source does not send it`,
        );
        if (how === severity) return;
        j++;
      } else if (a && (!b || !right.some(({ field }) => field === a.field))) {
        const how = a.present === 'yes' ? severity : 'maybe';
        const known = loads.some(({ field }) => field === a.field) ? 'does not expect it' : 'does not know it';
        this.report(how, 'field-not-expected', at, `the source sends '${a.field}'${ifText(a)}, the destination ${known}`);
        if (how === severity) return;
        i++;
      } else {
        this.report(
          severity,
          'field-differs',
          at,
          `'${a!.field}' is sent where the destination expects '${b!.field}'`,
          b!.field,
          a!.field,
        );
        return;
      }
    }
  }

  private pair(path: string, source: EffectiveField, destination: EffectiveField, outer: Severity): void {
    const severity = source.present === 'maybe' || destination.present === 'maybe' ? 'maybe' : outer;
    const conditions = [ifText(source), ifText(destination)] as const;
    if (conditions[0] !== conditions[1]) {
      this.report(
        'maybe',
        'predicate-differs',
        path,
        `it is sent${conditions[0] || ' always'} and expected${conditions[1] || ' always'}`,
      );
    }
    if (source.equals !== destination.equals && source.equals !== undefined && destination.equals !== undefined) {
      this.report(
        severity,
        'value-differs',
        path,
        `it must be ${destination.equals}, the source has ${source.equals}`,
        destination.equals,
        source.equals,
      );
    }
    const [a, b] = [textOf(source.count ?? source.size), textOf(destination.count ?? destination.size)];
    if (a !== b) {
      const what = source.count ? 'elements' : 'bytes';
      this.report(severity, 'field-size', path, `${a} ${what} are sent, the destination reads ${b}`, b, a);
    } else if (source.Description && destination.Description)
      this.description(path, source.Description, destination.Description, severity);
    else if (textOf(source.size) !== textOf(destination.size)) {
      this.report(severity, 'field-size', path, 'the sizes differ', textOf(destination.size), textOf(source.size));
    }
  }

  private report(severity: Severity, code: FindingCode, path: string, message: string, expected?: string, got?: string): void {
    const details = { ...(expected === undefined ? {} : { expected }), ...(got === undefined ? {} : { got }) };
    this.found.push({ code, severity, section: this.where, path, message, ...details });
  }
}

type Severity = 'error' | 'maybe';

/** A field without a test is there from its version on; one with a test was evaluated at the destination's own version. */
function atVersion(field: EffectiveField, version: number): EffectiveField {
  const tested = field.reads !== undefined || field.present === 'no';
  return !tested && field.version_id > version ? { ...field, present: 'no' } : field;
}

function textOf(bounds: { readonly min: number; readonly max: number } | undefined): string {
  if (!bounds) return '';
  return bounds.min === bounds.max ? String(bounds.min) : `${bounds.min} to ${bounds.max}`;
}

function sentText(one: { readonly present: string; readonly reads?: readonly string[] }): string {
  return one.present === 'yes' ? 'is sent' : `is sent${ifText(one)}`;
}

function ifText({ present, reads = [] }: { readonly present: string; readonly reads?: readonly string[] }): string {
  return present === 'maybe' ? ` depending on ${reads.join(', ')}` : '';
}
