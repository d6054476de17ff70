/** Everything that is wrong with a stream, for a machine, a schema, or in itself. */
import type { Machine } from '@pagurus/machine';
import { hex, type StreamError } from '@pagurus/migration';
import {
  checkSchemas,
  type EffectiveField,
  effectiveSchema,
  examineSection,
  type Finding,
  type MachineSchema,
  type Objection as SectionObjection,
  schemaFromVmdesc,
  type VmdescField,
} from '@pagurus/vmstate';
import { fullSections, type Patient, type PatientSection } from './doctor-stream.js';
import { type MachineSection, machineSections } from './schema-machine.js';

/** One thing that is wrong. */
export interface Objection {
  /** A loader refuses the stream because of an error; a warning it lets pass. */
  readonly severity: 'error' | 'warning';
  readonly code: string;
  /** idstr, or '' outside of sections. */
  readonly section: string;
  readonly instance: number;
  /** Inside the section: a field, a RAM block, a command. */
  readonly path: string;
  /** In the stream, or -1. */
  readonly offset: number;
  readonly message: string;
  readonly expected?: string;
  readonly got?: string;
  /** Most likely cause, in words. */
  readonly cause?: string;
}

/** Sent by the migration itself, whatever the machine. */
const OF_THE_STREAM = ['globalstate'];

/** What is wrong with the stream as such. */
export function streamObjections({ inspection, sections }: Patient): Objection[] {
  const { error, problems, warnings } = inspection;
  const warning = (message: string): Objection => ({ ...NOWHERE, severity: 'warning', code: 'note', message });
  return [
    ...(error ? [ofStreamError(error, 'error')] : []),
    // The stream contradicts its own description: a loader does not look there.
    ...problems.map((problem) => ofStreamError(problem, problem.code === 'description-mismatch' ? 'warning' : 'error')),
    ...orderObjections(sections),
    // How the walk found a section's end is of no interest where the section itself is examined.
    ...warnings.filter((text) => !text.includes('its end was found by')).map(warning),
  ];
}

const NOWHERE = { section: '', instance: 0, path: '', offset: -1 } as const;

function ofStreamError(error: StreamError, severity: Objection['severity']): Objection {
  const { code, section, instance, path, offset, problem, expected, got } = error;
  return { severity, code, section, instance, path, offset, message: problem, ...comparison(expected, got) };
}

function comparison(expected: string | undefined, got: string | undefined): { expected?: string; got?: string } {
  return { ...(expected === undefined ? {} : { expected }), ...(got === undefined ? {} : { got }) };
}

/** Sections that are not where the description has them. */
function orderObjections(sections: readonly PatientSection[]): Objection[] {
  return sections.flatMap((section, index): Objection[] => {
    const before = sections[index - 1];
    if (!before || section.described === undefined || before.described === undefined) return [];
    if (section.described >= before.described) return [];
    const { name, instance, headerOffset: offset } = section;
    const message = `the section comes behind '${before.name}', in the stream's description before it`;
    return [{ severity: 'warning', code: 'section-order', section: name, instance, path: name, offset, message }];
  });
}

/** What a machine has against it: its type, its RAM, its sections. */
export function machineObjections(patient: Patient, machine: Machine): Objection[] {
  const { inspection, sections } = patient;
  if (inspection.version === 0) return [];
  return [
    ...typeObjections(patient, machine),
    ...ramObjections(patient, machine),
    ...sectionObjections(sections, machineSections(machine)),
    ...missingSections(patient, machine),
  ];
}

function typeObjections({ inspection }: Patient, machine: Machine): Objection[] {
  const { configuration, sectionFooters, version } = inspection;
  const { settings, machineName } = machine;
  const place = { ...NOWHERE, severity: 'error', section: 'configuration' } as const;
  const found: Objection[] = [];
  if (configuration && settings.sendConfiguration && !machineName.startsWith(configuration.machine)) {
    found.push({
      ...place,
      code: 'machine-mismatch',
      path: 'name',
      offset: 8,
      message: 'the stream comes from another machine type',
      expected: `'${machineName}'`,
      got: `'${configuration.machine}'`,
    });
  }
  const complete = version > 0 && (inspection.error === undefined || sectionFooters !== undefined);
  if (complete && (configuration !== undefined) !== settings.sendConfiguration) {
    found.push({
      ...place,
      code: configuration ? 'configuration-invalid' : 'configuration-missing',
      offset: 8,
      message: configuration
        ? `the stream has a configuration section, machine '${machineName}' does not expect one`
        : `the configuration section is missing; machine '${machineName}' expects it`,
    });
  }
  if (sectionFooters !== undefined && sectionFooters !== settings.sendSectionFooter) {
    found.push({
      ...place,
      section: '',
      code: 'footer-missing',
      message: `sections have ${sectionFooters ? '' : 'no '}footers, machine '${machineName}' expects ${sectionFooters ? 'none' : 'them'}`,
    });
  }
  return found;
}

function ramObjections({ inspection, blockOffsets }: Patient, machine: Machine): Objection[] {
  return (inspection.ram?.blocks ?? []).flatMap((block): Objection[] => {
    const own = machine.ramBlocks.find(({ name }) => name === block.name);
    const place = {
      ...NOWHERE,
      severity: 'error',
      section: 'ram',
      path: block.name,
      offset: blockOffsets.get(block.name) ?? -1,
    } as const;
    if (!own) {
      const expected = `one of ${machine.ramBlocks.map(({ name }) => name).join(', ')}`;
      return [{ ...place, code: 'ram-unknown-block', message: 'the machine has no such RAM block', expected, got: block.name }];
    }
    const resizeable = own.maxLength > own.usedLength;
    if (own.usedLength === block.usedLength || (resizeable && block.usedLength <= own.maxLength)) return [];
    const expected = resizeable ? `at most ${hex(own.maxLength)}` : hex(own.usedLength);
    return [
      { ...place, code: 'ram-block-size', message: 'the RAM block has another size', expected, got: hex(block.usedLength) },
    ];
  });
}

/** What an error looks like when a field too much or too little came before it. */
const SHIFTED = ['trailing-data', 'truncated', 'invalid', 'out-of-range', 'unknown-subsection'];

/** Of the given sections, one by one. */
export function sectionObjections(sections: readonly PatientSection[], own: readonly MachineSection[]): Objection[] {
  return sections.flatMap((section): Objection[] => {
    if (OF_THE_STREAM.includes(section.name)) return [];
    const destination = findDestination(own, section);
    const objections = examineSection(section, destination).map((objection) => ofSection(objection, section));
    // Where the data does not end as it should: which of the two ends has a field that the other has not?
    const shifted = objections.filter(({ code }) => SHIFTED.includes(code));
    const presence = destination && shifted.length > 0 ? presenceObjections(section, destination) : [];
    return presence.length > 0 ? [...presence, ...objections.filter((one) => !shifted.includes(one))] : objections;
  });
}

/** Fields that were sent and that this machine's version or properties turn off, and the other way round. */
function presenceObjections(section: PatientSection, { description, state }: MachineSection): Objection[] {
  const { device, name, instance, version, fields = [], headerOffset } = section;
  if (device?.vmsd_name === undefined) return [];
  const found: Objection[] = [];
  const report = (path: string, code: string, message: string): void => {
    const offset = fields.find((field) => field.path === path || field.path.startsWith(`${path}.`))?.offset ?? headerOffset;
    found.push({ severity: 'error', code, section: name, instance, path, offset, message });
  };
  const compare = (sent: readonly VmdescField[], own: readonly EffectiveField[], path: string): void => {
    const names = new Set(sent.map((field) => field.name));
    for (const field of own) {
      const at = `${path}.${field.field}`;
      const [there, most] = [names.has(field.field), field.count?.max ?? field.size?.max ?? 1];
      if (there && field.present === 'no')
        report(at, 'field-not-expected', `'${field.field}' is sent, which this machine turns off`);
      else if (!there && field.present === 'yes' && field.version_id <= version && most > 0)
        report(at, 'field-not-sent', `'${field.field}' is not sent, which this machine expects`);
      const nested = sent.find((one) => one.name === field.field)?.struct;
      if (nested && field.Description) compare(nested.fields, field.Description.Fields, at);
    }
  };
  compare(device.fields, effectiveSchema(description, state).Fields, name);
  return found;
}

function findDestination(sections: readonly MachineSection[], { name, instance }: PatientSection): MachineSection | undefined {
  return (
    sections.find((own) => own.idstr === name && (own.instance === instance || own.alias === instance)) ??
    sections.find((own) => own.compat?.idstr === name && (own.compat.instance === instance || own.alias === instance))
  );
}

function ofSection(objection: SectionObjection, { streamOffset, headerOffset }: PatientSection): Objection {
  const { code, section, instance, path, offset, message, expected, got } = objection;
  const place = code === 'section-unknown' ? headerOffset : streamOffset + Math.max(offset, 0);
  return { severity: 'error', code, section, instance, path, offset: place, message, ...comparison(expected, got) };
}

/** A loader leaves them as after a reset. */
function missingSections({ inspection, sections }: Patient, machine: Machine): Objection[] {
  if (inspection.error) return [];
  const own = machineSections(machine);
  const there = new Set(sections.map((section) => findDestination(own, section)));
  return own
    .filter((section) => !there.has(section) && (section.description.needed?.(section.state) ?? true))
    .map(({ idstr, instance }) => ({
      ...NOWHERE,
      severity: 'warning' as const,
      code: 'section-missing',
      section: idstr,
      instance,
      path: idstr,
      message: 'the machine has this section, the stream has not; it stays as after a reset',
    }));
}

/** What a dump of another program has against what was sent, by the stream's own description. */
export function schemaObjections({ inspection, sections }: Patient, schema: MachineSchema): Objection[] {
  const { vmdesc } = inspection;
  if (!vmdesc) {
    const message = 'the stream carries no description to compare with the schema';
    return [{ ...NOWHERE, severity: 'error', code: 'description-missing', message }];
  }
  const fields = fullSections(inspection);
  return checkSchemas(schemaFromVmdesc(vmdesc), schema, { stream: true }).map((finding): Objection => {
    const [, name = finding.section, instance = '0'] = /^(.*?)(?:#(\d+))?$/.exec(finding.section) ?? [];
    const section = sections.find((one) => one.name === name && one.instance === Number(instance));
    const entry = fields.find((one) => one.name === name && one.instance === Number(instance));
    return {
      severity: finding.severity === 'error' ? 'error' : 'warning',
      code: finding.code,
      section: name,
      instance: Number(instance),
      path: finding.path,
      offset: placeOf(finding, entry?.fields) ?? section?.headerOffset ?? -1,
      message: finding.message,
      ...comparison(finding.expected, finding.got),
    };
  });
}

function placeOf(
  { path }: Finding,
  fields: readonly { readonly path: string; readonly offset: number }[] = [],
): number | undefined {
  // Paths of findings begin with the description's name, those of fields with the section's.
  const behind = (text: string): string => text.replaceAll(/\[\d+\]/g, '').replace(/^[^.]*\./, '');
  return path.includes('.') ? fields.find((field) => behind(field.path).startsWith(behind(path)))?.offset : undefined;
}
