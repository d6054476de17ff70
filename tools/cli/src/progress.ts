import type { MigrationInfo } from '@pagurus/migration';
import { type Options, SingleBar } from 'cli-progress';

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

/** Options of every migration bar here. */
export const BAR_OPTIONS: Options = {
  format: 'migrating [{bar}] {percentage}% | {sent} MiB sent | round {round} | {remaining} MiB left',
  barCompleteChar: '#',
  barIncompleteChar: '-',
  hideCursor: true,
  clearOnComplete: false,
  fps: 10,
};

/** How far a migration is: 0 to 100. Goes back when a running guest makes pages dirty again; a bar keeps the most it has shown. */
export function migrationShare(info: MigrationInfo): number {
  if (info.status === 'completed') return 100;
  const { ram } = info;
  if (!ram || ram.total === 0 || ram.normal + ram.duplicate === 0) return 0;
  return Math.floor(Math.max(0, Math.min(99, 100 * (1 - ram.remaining / ram.total))));
}

/** What the bar's format names. */
export function migrationPayload(info: MigrationInfo): { sent: string; round: number; remaining: string } {
  return {
    sent: mebibytes(info.ram?.transferred ?? 0),
    round: info.ram?.['dirty-sync-count'] ?? 0,
    remaining: mebibytes(info.ram?.remaining ?? 0),
  };
}

/** A progress bar for an outgoing migration on a terminal; nothing where the stream is no terminal. */
export function migrationBar(stream: NodeJS.WriteStream): (info: MigrationInfo) => void {
  if (!stream.isTTY) return () => {};
  let bar: SingleBar | undefined;
  let most = 0;
  return (info) => {
    const share = migrationShare(info);
    if (!bar) {
      if (info.status !== 'setup' && info.status !== 'active') return;
      bar = new SingleBar({ ...BAR_OPTIONS, stream });
      most = 0;
      bar.start(100, 0, migrationPayload(info));
    }
    most = Math.max(most, share);
    bar.update(most, migrationPayload(info));
    if (info.status === 'completed' || info.status === 'failed' || info.status === 'cancelled') {
      bar.stop();
      bar = undefined;
    }
  };
}
