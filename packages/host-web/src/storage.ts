/** A machine's stream in the origin private file system of the browser: survives the tab, is read by any later version. */

/** Saved names, without extension, in order. */
export async function listSaved(): Promise<string[]> {
  const names: string[] = [];
  const folder = await savedFolder();
  for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys())
    if (name.endsWith(EXTENSION)) names.push(name.slice(0, -EXTENSION.length));
  return names.sort();
}

/** Writes a stream under a name, replacing an older one only when all of it has been written. */
export async function saveStream(name: string, stream: Uint8Array): Promise<void> {
  const file = await (await savedFolder()).getFileHandle(fileName(name), { create: true });
  const writable = await file.createWritable();
  await writable.write(stream as Uint8Array<ArrayBuffer>);
  await writable.close();
}

/** @throws {DOMException} `NotFoundError` if there is none of that name. */
export async function loadStream(name: string): Promise<Uint8Array> {
  const file = await (await savedFolder()).getFileHandle(fileName(name));
  return new Uint8Array(await (await file.getFile()).arrayBuffer());
}

export async function deleteStream(name: string): Promise<void> {
  await (await savedFolder()).removeEntry(fileName(name));
}

const EXTENSION = '.qemu-migration';

function fileName(name: string): string {
  if (!/^[\w .-]{1,100}$/.test(name)) throw new RangeError(`'${name}' is not a name of letters, digits, spaces, dots and dashes`);
  return name + EXTENSION;
}

async function savedFolder(): Promise<FileSystemDirectoryHandle> {
  return await (await navigator.storage.getDirectory()).getDirectoryHandle('pagurus', { create: true });
}
