import { spawnSync } from 'node:child_process';

/**
 * Whether a real part is installed on this host. Absent: false, with one line that says so; absent and named by PAGURUS_REQUIRE
 * (`qemu,nasm,…`): an error. For tests only.
 */
export function havePart(name: string, command: string, args: readonly string[] = ['--version']): boolean {
  if (spawnSync(command, args, { stdio: 'ignore' }).status === 0) return true;
  if ((process.env.PAGURUS_REQUIRE ?? '').split(',').includes(name)) {
    throw new Error(`PAGURUS_REQUIRE names ${name}, but '${command}' is not installed`);
  }
  console.warn(`skipped: '${command}' is not installed (${name})`);
  return false;
}
