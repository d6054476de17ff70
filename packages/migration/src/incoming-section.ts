import type { MigrationSection } from '@pagurus/device-model';
import { StateError } from '@pagurus/vmstate';
import type { HostTimer } from './channel.js';
import type { SectionEvent } from './events.js';
import type { StreamReader } from './reader.js';
import { endsWell } from './section-frame.js';
import { stateErrorAt } from './state-error.js';

/** The name of a subsection reaches so far ahead: type, length, 255 characters. */
const LOOKAHEAD = 257;
/** How long to wait for more data before a section whose end looks wrong is called so. Milliseconds. */
const SETTLE = 1000;

export interface SectionLoaderOptions {
  readonly timer: HostTimer;
  readonly footers: boolean;
  /** Bound on one section's data. */
  readonly limit: number;
}

/**
 * Decodes device sections off a live connection. They have no length: what is here is decoded, and again with more if that was not
 * enough. A result stands only if nothing beyond the data at hand could have changed it, or if the footer is where it should be.
 */
export class SectionLoader {
  constructor(
    private readonly reader: StreamReader,
    private readonly options: SectionLoaderOptions,
  ) {}

  /** Consumes the section's data. @returns what puts it into the device. @throws {StreamError} */
  async load(section: SectionEvent, handler: MigrationSection): Promise<() => void> {
    const { reader, options } = this;
    let refusal: { path: string; settledAt: number } | undefined;
    for (;;) {
      const bytes = reader.window();
      try {
        const { end, commit } = handler.decode(bytes, 0, section.version);
        if (this.stands(bytes, end, section) || !(await this.moreComes(SETTLE))) {
          reader.skip(end);
          return commit;
        }
      } catch (error) {
        if (!(error instanceof StateError)) throw error;
        const failure = stateErrorAt(error, reader.place, reader.offset);
        if (error.code === 'truncated') refusal = undefined;
        // A complaint stands when it is repeated with so much more data that no name was cut any more.
        else if (refusal?.path !== error.path) {
          const reach = error.offset < 0 ? bytes.length : error.offset;
          refusal = { path: error.path, settledAt: reach + LOOKAHEAD };
        }
        if (reader.atSourceEnd || (refusal && bytes.length >= refusal.settledAt)) throw failure;
        if (bytes.length > options.limit)
          reader.fail('limit', `section '${section.idstr}' is larger than ${options.limit} bytes`);
        const more = error.code === 'truncated' ? await this.grow() : await this.moreComes(SETTLE);
        if (!more) throw failure;
      }
    }
  }

  private stands(bytes: Uint8Array, end: number, section: SectionEvent): boolean {
    return this.reader.atSourceEnd || bytes.length >= end + LOOKAHEAD || endsWell(bytes, end, section, this.options.footers);
  }

  /** At least an eighth more, so that many small pieces do not make many attempts; less if the source pauses or ends. */
  private async grow(): Promise<boolean> {
    const { reader } = this;
    const goal = reader.available + (reader.available >> 3);
    if (!(await reader.fillMore())) return false;
    while (reader.available < goal && (await this.moreComes(1)));
    return true;
  }

  /** Waits for one more piece. @returns false if nothing came in time, or nothing will. */
  private moreComes(patience: number): Promise<boolean> {
    return Promise.race([this.reader.fillMore(), this.options.timer.sleep(patience).then(() => false)]);
  }
}
