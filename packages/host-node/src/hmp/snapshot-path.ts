/**
 * Where `savevm NAME` and `loadvm NAME` keep a snapshot: NAME itself if it looks like a path (has a slash or an extension), otherwise
 * `NAME.pagurus` in the current folder. The file is a migration stream in QEMU's format, so `-incoming file:`, `pagurus inspect` and a
 * real QEMU read it, too. (QEMU itself keeps snapshots inside a qcow2 disk, which a machine without disks does not have.)
 */
export function snapshotPath(name: string): string {
  return /[/\\]|\.\w+$/.test(name) ? name : `${name}.pagurus`;
}

/** The name QEMU gives when none is given: `vm-YYYYMMDDHHMMSS`. */
export function defaultSnapshotName(now: Date = new Date()): string {
  return `vm-${now.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}`;
}
