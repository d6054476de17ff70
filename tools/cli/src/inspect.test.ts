import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { runConvert } from './convert.js';
import { runInspect } from './inspect.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-inspect-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Streams recorded from QEMU; see packages/migration/fixtures. */
function stream(name: string, change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes): string {
  const bytes = gunzipSync(readFileSync(new URL(`../../../packages/migration/fixtures/${name}.bin.gz`, import.meta.url)));
  const path = join(folder, `${name}.bin`);
  writeFileSync(path, change(bytes));
  return path;
}

function output() {
  const result = { text: '', errors: '' };
  return {
    result,
    out(text: string) {
      result.text += text;
    },
    error(text: string) {
      result.errors += `${text}\n`;
    },
  };
}

describe('inspect', () => {
  it('lists head, RAM blocks, sections and their fields', async () => {
    const io = output();
    expect(await runInspect({ stream: stream('uuid-pc-i440fx-7.2-i386') }, io)).toBe(0);
    const { text, errors } = io.result;
    expect(errors).toBe('');
    expect(text).toMatch(/^QEMU migration stream, version 3\nmachine {9}pc-i440fx-7.2\n/);
    expect(text).toContain('uuid            12345678-9abc-def0-1122-334455667788');
    expect(text).toMatch(/pc\.ram +0x400000 +1024 zero/);
    expect(text).toMatch(/FULL {3}0000:00:01\.3\/piix4_pm +0 +3 +2432 {2}catalogue/);
    expect(text).toMatch(/parent_obj\.version_id +int32 le +2\n/);
    expect(text).toMatch(/parent_obj\.config\[0\] +pci config +86801371[0-9a-f]+ … \(256 bytes\)/);
  });

  it('shows one section whole, by name, by its last part, with an instance', async () => {
    const path = stream('uuid-pc-i440fx-7.2-i386');
    const io = output();
    expect(await runInspect({ stream: path, section: 'piix4_pm' }, io)).toBe(0);
    expect(io.result.text).toMatch(/parent_obj\.config\[0\] +pci config +[0-9a-f]{64}\n(?: +[0-9a-f]{64}\n){7}/);
    const second = output();
    expect(await runInspect({ stream: path, section: 'i8259#1' }, second)).toBe(0);
    expect(second.result.text.match(/FULL/g)).toHaveLength(1);
  });

  it('says which sections there are when the wanted one is not', async () => {
    const io = output();
    expect(await runInspect({ stream: stream('uuid-pc-i440fx-7.2-i386'), section: 'nvme' }, io)).toBe(2);
    expect(io.result.errors).toContain("no section 'nvme'");
    expect(io.result.errors).toContain('mc146818rtc');
  });

  it('prints JSON with every value', async () => {
    const io = output();
    expect(await runInspect({ stream: stream('reset-nodefaults-pc-i440fx-10.0-x86_64'), json: true }, io)).toBe(0);
    const parsed = JSON.parse(io.result.text) as {
      sections: { type: string; name?: string; values?: Record<string, unknown> }[];
      ram: { total: number };
    };
    expect(parsed.ram.total).toBe(17_309_696);
    expect(parsed.sections.find((section) => section.name === 'i8254')!.values).toMatchObject({ 'channels[0].irq_disabled': 0 });
    expect(parsed.sections.map((section) => section.type)).toContain('COMMAND');
    expect(io.result.text).toContain('"env.pat": 1974748653749254');
  });

  it('counts pages per kind', async () => {
    const io = output();
    expect(await runInspect({ stream: stream('ignore-shared-pc-i440fx-7.2-i386'), ram: true }, io)).toBe(0);
    expect(io.result.text).toMatch(/block +used length +zero +normal/);
    expect(io.result.text).toMatch(/pc\.bios.*\n +mapped in the guest at 0xffff0000/);
  });

  it('extracts RAM blocks under harmless file names', async () => {
    const io = output();
    const into = join(folder, 'ram');
    expect(await runInspect({ stream: stream('uuid-pc-i440fx-7.2-i386'), extractRam: into }, io)).toBe(0);
    expect(readdirSync(into).sort()).toEqual([
      'pc.bios.bin',
      'pc.ram.bin',
      'pc.rom.bin',
      'rom@etc_acpi_rsdp.bin',
      'rom@etc_acpi_tables.bin',
      'rom@etc_table-loader.bin',
    ]);
    expect(readFileSync(join(into, 'pc.ram.bin'))).toHaveLength(0x400000);
    expect(io.result.errors).toContain("RAM block '/rom@etc/acpi/rsdp' is in");
  });

  it('lists what is good of a broken stream and names what is not', async () => {
    const path = stream('uuid-pc-i440fx-7.2-i386', (bytes) => bytes.subarray(0, 70));
    const io = output();
    expect(await runInspect({ stream: path }, io)).toBe(1);
    expect(io.result.text).toContain('pc-i440fx-7.2');
    expect(io.result.errors).toMatch(/offset 70 \(0x46\): the data ends inside a section id.*\[truncated\]/s);
  });

  it('says where a stream contradicts its own description', async () => {
    const path = stream('uuid-pc-i440fx-7.2-i386', (bytes) => {
      const copy = Buffer.from(bytes);
      copy.write('walking\0', copy.lastIndexOf('paused\0'), 'latin1');
      return copy;
    });
    const io = output();
    expect(await runInspect({ stream: path }, io)).toBe(1);
    expect(io.result.errors).toMatch(/section 'globalstate' .*'walking' \[run-state\]\n$/);
  });

  it('refuses a file that is not there', async () => {
    const io = output();
    expect(await runInspect({ stream: join(folder, 'absent') }, io)).toBe(2);
    expect(io.result.errors).toMatch(/cannot open .*absent/);
  });
});

describe('convert', () => {
  it('goes to JSON and back to the same bytes', async () => {
    const path = stream('postcopy-pc-i440fx-7.2-i386');
    const json = join(folder, 'stream.json');
    const again = join(folder, 'again.bin');
    expect(await runConvert({ input: path, output: json, to: 'json' }, output())).toBe(0);
    expect((JSON.parse(readFileSync(json, 'utf8')) as { events: unknown[] }).events[0]).toEqual({ kind: 'header', version: 3 });
    expect(await runConvert({ input: json, output: again, to: 'qemu' }, output())).toBe(0);
    expect(readFileSync(again).equals(readFileSync(path))).toBe(true);
    expect(await runConvert({ input: path, output: again, to: 'qemu' }, output())).toBe(0);
    expect(readFileSync(again).equals(readFileSync(path))).toBe(true);
  });

  it('leaves no output behind when the input is broken', async () => {
    const path = stream('postcopy-pc-i440fx-7.2-i386', (bytes) => bytes.subarray(0, 5000));
    const io = output();
    expect(await runConvert({ input: path, output: join(folder, 'never.bin'), to: 'qemu' }, io)).toBe(1);
    expect(io.result.errors).toMatch(/^pagurus convert: .*\[truncated\]\n$/);
    expect(readdirSync(folder).filter((name) => name.startsWith('never'))).toEqual([]);
  });

  it('names the event in JSON that is wrong', async () => {
    const json = join(folder, 'wrong.json');
    writeFileSync(json, '{"format": "pagurus-stream", "version": 1, "events": [\n{"kind":"header","version":"3"}\n]}\n');
    const io = output();
    expect(await runConvert({ input: json, output: join(folder, 'never.bin'), to: 'qemu' }, io)).toBe(1);
    expect(io.result.errors).toContain('events[0].version');
  });
});
