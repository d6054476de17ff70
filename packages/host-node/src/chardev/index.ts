import { fileCharacter, pipeCharacter } from './files.js';
import type { HostCharacter } from './host-character.js';
import { nullCharacter, ringBuffer } from './host-character.js';
import type { CharacterSpec } from './parse.js';
import { socketCharacter } from './socket.js';
import { stdioCharacter } from './stdio.js';

export type { HostCharacter } from './host-character.js';
export { InputQueue, nullCharacter, ringBuffer } from './host-character.js';
export { CharacterMux, type MuxActions } from './mux.js';
export { type CharacterSpec, parseCharacter, parseChardev } from './parse.js';
export { type StdioOptions, stdioCharacter } from './stdio.js';

export interface OpenCharacterOptions {
  /** Ctrl-C on a terminal ends the process instead of reaching the guest; used where the text does not say. */
  readonly signal: boolean;
  /** A socket server's real address, before it waits for its client. */
  readonly listening?: (uri: string) => void;
  readonly inputEnded?: () => void;
}

/**
 * Opens a character backend. `none`, `chardev` and `vc` are the caller's business.
 * @throws {HostError} for files, pipes and sockets that cannot be opened.
 */
export async function openCharacter(
  spec: Exclude<CharacterSpec, { kind: 'none' | 'chardev' | 'vc' }>,
  options: OpenCharacterOptions,
): Promise<HostCharacter> {
  switch (spec.kind) {
    case 'null':
      return nullCharacter();
    case 'stdio':
      return stdioCharacter({
        signal: spec.signal ?? options.signal,
        ...(options.inputEnded ? { ended: options.inputEnded } : {}),
      });
    case 'file':
      return fileCharacter(spec.path, spec.append);
    case 'pipe':
      return pipeCharacter(spec.path);
    case 'ringbuf':
      return ringBuffer(spec.size);
    case 'socket':
      return await socketCharacter({ ...spec, ...(options.listening ? { listening: options.listening } : {}) });
  }
}
