/**
 * Collects the sections `cpu` and `cpu_common` of recorded QEMU streams, what QEMU decoded them to and what its monitor said about the
 * registers, into fixtures/cpu-sections.json.gz. `node scripts/extract-cpu-sections.mjs STREAMS_DIRECTORY`
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

const root = process.argv[2];
if (!root) {
  console.error('usage: extract-cpu-sections.mjs STREAMS_DIRECTORY');
  process.exit(2);
}
const WANTED = /^(cpustate-|devstate-|seabios-noboot-nodefaults-|linux-tiny-ping|reset-nodefaults-pc-i440fx-(1\.4|7\.2))/;
const result = [];
for (const version of ['7.2', '10.0']) {
  for (const entry of readdirSync(join(root, version))) {
    if (!entry.endsWith('.json') || !WANTED.test(entry)) continue;
    const name = entry.slice(0, -'.json'.length);
    const sidecar = JSON.parse(readFileSync(join(root, version, entry), 'utf8'));
    const file = join(root, version, `${name}.bin.gz`);
    if (!existsSync(file)) continue;
    const stream = gunzipSync(readFileSync(file));
    const decodedFile = join(root, version, `${name}.decoded.json.gz`);
    // Integers beyond 2^53 become strings.
    const decodedText = existsSync(decodedFile) ? gunzipSync(readFileSync(decodedFile)).toString() : '[]';
    const decoded = JSON.parse(decodedText.replace(/([[\s])(-?\d{16,})(?=[,\]}\s])/g, '$1"$2"'));
    const section = (idstr) => {
      const [, , , sectionVersion, length] = sidecar.sections.find((s) => s[0] === 'FULL' && s[1] === idstr && s[2] === 0);
      const header = Buffer.alloc(1 + idstr.length + 8);
      header.writeUInt8(idstr.length, 0);
      header.write(idstr, 1, 'latin1');
      header.writeUInt32BE(sectionVersion, 1 + idstr.length + 4);
      const start = stream.indexOf(header) + header.length;
      if (start < header.length || stream[start - header.length - 5] !== 4) throw new Error(`${name}: no section ${idstr}`);
      return {
        version: sectionVersion,
        bytes: stream.subarray(start, start + length).toString('base64'),
        values: decoded.find((s) => s.section === idstr && s.instance === 0)?.values ?? null,
      };
    };
    result.push({
      name,
      qemu: version,
      target: sidecar.program === 'qemu-system-x86_64' ? 'x86_64' : 'i386',
      model: sidecar.cpu,
      cpu: section('cpu'),
      common: section('cpu_common'),
      registers: sidecar.source_hmp_after_stop?.['info registers -a'] ?? null,
    });
    console.log(name);
  }
}
const packed = gzipSync(JSON.stringify(result), { level: 9 });
writeFileSync(new URL('../fixtures/cpu-sections.json.gz', import.meta.url), packed);
console.log(`${result.length} streams, ${packed.length} bytes`);
