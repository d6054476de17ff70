/** The most likely cause of an objection, in words. */
import { type Machine, machineTypes } from '@pagurus/machine';
import { type Candidate, likelyCause } from '@pagurus/vmstate';
import { examinedMachine } from './doctor-machine.js';
import { type Objection, sectionObjections } from './doctor-objections.js';
import type { Patient } from './doctor-stream.js';
import type { RunOptions } from './run-options.js';
import { machineSections } from './schema-machine.js';
import { nearest } from './usage-error.js';

/** Objections to the structure of a section: another machine version may have none. */
const STRUCTURAL = [
  'field-not-expected',
  'field-not-sent',
  'unknown-subsection',
  'subsection-missing',
  'field-differs',
  'field-missing',
  'field-size',
  'version-newer',
  'version-too-new',
  'version-too-old',
  'truncated',
  'trailing-data',
  'not-equal',
  'entry-missing',
];

/** The same with causes. */
export async function withCauses(
  objections: readonly Objection[],
  patient: Patient,
  machine: Machine | undefined,
  options: RunOptions,
): Promise<Objection[]> {
  const overall = machine ? await otherMachine(objections, patient, machine, options) : undefined;
  return objections.map((objection) => {
    const cause = causeOf(objection, patient, machine, overall);
    return cause === undefined ? objection : { ...objection, cause };
  });
}

function causeOf(
  { code, section, instance, path, got, expected }: Objection,
  { inspection, sections }: Patient,
  machine: Machine | undefined,
  overall: string | undefined,
): string | undefined {
  switch (code) {
    case 'not-a-stream':
      return got?.includes('nothing')
        ? 'nothing was written: the sender never began'
        : 'this is no migration stream, or its beginning is missing';
    case 'stream-version':
      return "the file's version number is damaged: every QEMU since 2006 writes 3";
    case 'truncated':
      return inspection.error?.code === 'truncated'
        ? 'the stream ends early: the sender died, the connection broke or the disk was full'
        : overall;
    case 'footer-missing':
    case 'footer-mismatch':
      return section === ''
        ? 'the machine versions differ: footers came with machine version 2.4'
        : `the data of '${section}' does not have the length that it should, or its end is damaged`;
    case 'section-name':
      return 'the stream ends or is damaged inside the header of a section';
    case 'unknown-section-type':
    case 'unknown-section-id':
      return 'bytes are damaged where a section should begin, or the section before it is longer than it should be';
    case 'unknown-command':
    case 'command-length':
      return 'the sender is newer than this program and sent a command that it does not know, or the byte is damaged';
    case 'command-order':
      return 'the sender expected an answer; a stream stored in a file has nobody who answers';
    case 'run-state':
      return 'the name of the run state is damaged, or the sender is newer';
    case 'ram-flags':
    case 'ram-address':
    case 'ram-no-block':
    case 'ram-compressed':
    case 'ram-xbzrle':
      return 'a page header is damaged, or the sender used a RAM feature that this stream does not announce';
    case 'ram-unknown-block':
      return unknownBlock(got ?? path, machine);
    case 'ram-block-size':
      return path === 'pc.ram'
        ? `the sender had another memory size: start with -m ${Number(got) / 2 ** 20}`
        : `the sender had another image for '${path}': firmware and ROMs must be as large as there`;
    case 'section-version-too-new':
      return section === 'ram' ? 'the sender is newer, or the version number is damaged: every QEMU since 0.14 sends 4' : overall;
    case 'machine-mismatch':
      return `start with -M ${(got ?? '').replaceAll("'", '')}`;
    case 'configuration-missing':
    case 'configuration-invalid':
      return 'the machine versions differ: the configuration section came with machine version 2.4';
    case 'unknown-configuration-subsection':
      return 'the sender is newer, or the configuration section is damaged';
    case 'version-too-new':
    case 'version-too-old':
    case 'version-newer': {
      // The description at the end was made by the sender, too.
      const damaged = inspection.problems.find(
        (problem) => problem.code === 'description-mismatch' && problem.section === section && problem.instance === instance,
      );
      if (damaged?.expected !== undefined)
        return `the version number is damaged: the stream's description says ${damaged.expected}`;
      return (
        overall ??
        (code === 'version-too-old'
          ? 'the sender is older than anything that can be read'
          : 'the sender is newer, or the version number is damaged')
      );
    }
    case 'unknown-subsection': {
      const meant = nearest(got ?? '', (expected ?? '').split(', '));
      if (meant?.length === got?.length && meant !== undefined) return `the name is damaged: '${meant}' is meant`;
      return overall ?? 'the sender is newer and sent a part of the state that is not known here, or its name is damaged';
    }
    case 'section-unknown':
      return unknownSection(section, instance, sections, machine) ?? overall;
    case 'not-equal':
      return /config$/.test(path)
        ? `another device is in this place, or its configuration space is damaged (${expected} became ${got})`
        : overall;
    default:
      return STRUCTURAL.includes(code) ? overall : undefined;
  }
}

function unknownBlock(name: string, machine: Machine | undefined): string {
  const names = machine?.ramBlocks.map((block) => block.name) ?? [];
  const near = nearest(name, names);
  if (near !== undefined && near.length === name.length) return `the name is damaged: '${near}' is meant`;
  return name.includes('acpi')
    ? "the sender's machine has ACPI and this one has not"
    : 'the sender has a device with memory that this machine has not';
}

function unknownSection(
  name: string,
  instance: number,
  sections: Patient['sections'],
  machine: Machine | undefined,
): string | undefined {
  if (!machine) return undefined;
  const own = machineSections(machine);
  const missing = own.filter(
    (section) => !sections.some((one) => one.name === section.idstr && one.instance === section.instance),
  );
  const same = missing.find(({ idstr }) => idstr === name);
  if (same) return `the instance number is damaged: ${same.instance} is missing in the stream, ${instance} is too much`;
  const near = nearest(
    name,
    missing.map(({ idstr }) => idstr).filter(({ length }) => length === name.length),
  );
  if (near !== undefined) return `the name is damaged: '${near}' is meant, and missing in the stream`;
  return `the sender has a device with a section '${name}' that this machine has not: give it with -device or -machine, as there`;
}

/** A machine type of the same family that would load the sections, if there is one. */
async function otherMachine(
  objections: readonly Objection[],
  patient: Patient,
  machine: Machine,
  options: RunOptions,
): Promise<string | undefined> {
  const structural = objections.filter(({ severity, code }) => severity === 'error' && STRUCTURAL.includes(code));
  if (structural.length === 0) return undefined;
  const concerned = patient.sections.filter((section) => structural.some((objection) => objection.section === section.name));
  const candidate = (one: Machine): Candidate => ({
    machine: one.machineName,
    properties: propertiesOf(one),
    objections: sectionObjections(concerned, machineSections(one)) as unknown as Candidate['objections'],
  });
  const others: Candidate[] = [];
  const family = machine.machineName.replace(/[\d.]+$/, '');
  // Of candidates that are as good as each other, the one that the stream names comes first, then the nearest versions.
  const names = machineTypes.map(({ name }) => name).filter((name) => name.startsWith(family));
  const distance = (name: string): number =>
    name === patient.inspection.configuration?.machine ? -1 : Math.abs(names.indexOf(name) - names.indexOf(machine.machineName));
  for (const name of [...names].sort((a, b) => distance(a) - distance(b))) {
    if (name === machine.machineName) continue;
    try {
      others.push(candidate(await examinedMachine({ ...options, machine: name }, patient.inspection)));
    } catch {
      // An older machine may not take what the user gave this one.
    }
  }
  return likelyCause(candidate(machine), others);
}

/** `driver.property` of everything in a machine. */
function propertiesOf(machine: Machine): { [property: string]: string } {
  const names = new Map(machine.type.packages.flatMap(({ types }) => types).map((type) => [type.type, type.properties]));
  return Object.fromEntries(
    machine.devices.flatMap(({ type, properties }) => {
      const table = (names.get(type) ?? {}) as Record<string, { readonly name: string }>;
      return Object.entries(properties.values).map(([key, value]): [string, string] => [
        `${type}.${table[key]?.name ?? key}`,
        typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value),
      ]);
    }),
  );
}
