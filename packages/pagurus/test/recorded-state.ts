/** What QEMU's monitor said of interrupt controllers and PCI functions, looked up in a machine of ours. */
import type { Machine } from '@pagurus/machine';

interface Pic {
  irr: number;
  imr: number;
  isr: number;
  priorityAdd: number;
  irqBase: number;
  readRegisterSelect: number;
  elcr: number;
  specialFullyNestedMode: number;
}

interface LocalApic {
  lvt: Uint32Array;
  spuriousVec: number;
  icr: Uint32Array;
  esr: number;
  isr: Uint32Array;
  irr: Uint32Array;
  tpr: number;
  initialCount: number;
}

interface IoApic {
  ioredtbl: BigUint64Array;
}

interface PciBus {
  list(): readonly { readonly slot: { readonly devfn: number }; readonly config: Uint8Array }[];
}

const statesOf = <S>(machine: Machine, section: string): S[] =>
  machine.devices.flatMap(({ device }) =>
    device.sections.filter(({ description }) => description.name === section).map(({ state }) => state as S),
  );

const hex = (value: number, digits = 2): string => value.toString(16).padStart(digits, '0');

/** Lines of `info pic`: both 8259s and the I/O APIC's redirections. */
function pic(machine: Machine): string[] {
  const lines = statesOf<Pic>(machine, 'i8259').map(
    (s, n) =>
      `pic${n}: irr=${hex(s.irr)} imr=${hex(s.imr)} isr=${hex(s.isr)} hprio=${s.priorityAdd} irq_base=${hex(s.irqBase)} ` +
      `rr_sel=${s.readRegisterSelect} elcr=${hex(s.elcr)} fnm=${s.specialFullyNestedMode}`,
  );
  for (const { ioredtbl } of statesOf<IoApic>(machine, 'ioapic'))
    ioredtbl.forEach((entry, pin) => {
      lines.push(`pin ${pin} 0x${entry.toString(16).padStart(16, '0')}`);
    });
  return lines;
}

const LVT_NAMES = ['LVTT', 'LVTTHMR', 'LVTPC', 'LVT0', 'LVT1', 'LVTERR'];

const bits = (words: Uint32Array): string => {
  const set = [...words].flatMap((word, i) => Array.from({ length: 32 }, (_, bit) => ((word >>> bit) & 1 ? 32 * i + bit : -1)));
  return set.filter((n) => n >= 0).join(' ') || '(none)';
};

/** Lines of `info lapic`, as far as they are registers. */
function lapic(machine: Machine): string[] {
  const [s] = statesOf<LocalApic>(machine, 'apic');
  if (!s) return [];
  return [
    ...LVT_NAMES.map((name, n) => `${name} 0x${hex(s.lvt[n]!, 8)}`),
    `SPIV 0x${hex(s.spuriousVec, 8)}`,
    `ICR 0x${hex(s.icr[0]!, 8)}`,
    `ICR2 0x${hex(s.icr[1]!, 8)}`,
    `ESR 0x${hex(s.esr, 8)}`,
    `ISR ${bits(s.isr)}`,
    `IRR ${bits(s.irr)}`,
    `initial_count = ${s.initialCount}`,
    `TPR 0x${hex(s.tpr)}`,
  ];
}

/** What of the recorded `info pic` and `info lapic` is not so here. */
export function changedControllers(recorded: { readonly [command: string]: readonly string[] }, machine: Machine): string[] {
  const problems: string[] = [];
  const known = new Set([...pic(machine), ...lapic(machine)]);
  const picks = [/^(pic\d: .*)$/, /^(pin \d+) +(0x[0-9a-f]{16})/, /^(LVT\w+|SPIV|ICR2?|ESR) (0x[0-9a-f]{8})/];
  picks.push(/^(ISR|IRR) ((?:\d+ ?)+|\(none\))$/, /(initial_count) (= \d+)/, /(TPR) (0x[0-9a-f]+)/);
  // The first IRR of `info pic` is the I/O APIC's.
  const lines = [...(recorded['info pic'] ?? []).filter((line) => !/IRR/.test(line)), ...(recorded['info lapic'] ?? [])];
  for (const line of lines.map((text) => text.trim().replace(/\t /g, ' '))) {
    for (const pick of picks) {
      const found = pick.exec(line);
      if (!found) continue;
      const text = found.slice(1).join(' ').trim();
      if (!known.has(text)) problems.push(`monitor: ${text}`);
    }
  }
  return problems;
}

const UNSET = 'ffffffffffffffff';

/** What of the recorded `info pci` is not so here: functions, their identity, where their registers are. */
export function changedPci(recorded: readonly string[], machine: Machine): string[] {
  const bus = machine.devices.map(({ device }) => (device.services as { bus?: PciBus } | undefined)?.bus).find((found) => found);
  if (!bus) return recorded.length === 0 ? [] : ['info pci: no bus'];
  const problems: string[] = [];
  let config: DataView | undefined;
  for (const line of recorded) {
    const place = /Bus +0, device +(\d+), function (\d+)/.exec(line);
    if (place) {
      const devfn = (Number(place[1]) << 3) | Number(place[2]);
      const found = bus.list().find(({ slot }) => slot.devfn === devfn);
      if (!found) problems.push(`info pci: nothing at ${place[1]}.${place[2]}`);
      config = found && new DataView(found.config.buffer, found.config.byteOffset);
    }
    if (!config) continue;
    const id = /PCI device ([0-9a-f]{4}):([0-9a-f]{4})/.exec(line);
    if (
      id &&
      (config.getUint16(0, true) !== Number.parseInt(id[1]!, 16) || config.getUint16(2, true) !== Number.parseInt(id[2]!, 16))
    )
      problems.push(`info pci: ${line.trim()}`);
    const bar = /BAR([0-5]): (I\/O|(?:32|64) bit.*memory) at 0x([0-9a-f]+) /.exec(line);
    if (!bar || bar[3] === UNSET) continue;
    const value = config.getUint32(0x10 + 4 * Number(bar[1]), true);
    const base = (value & (value & 1 ? ~3 : ~15)) >>> 0;
    if (base !== Number(BigInt(`0x${bar[3]}`) & 0xffff_ffffn)) problems.push(`info pci: ${line.trim()}, here 0x${hex(base, 8)}`);
  }
  return problems;
}
