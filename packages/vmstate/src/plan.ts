/**
 * Descriptions compiled to straight-line code. The interpreter (`save`, `load`, `decode`) stays the reference: whatever the compiled code
 * cannot do or finds wrong it gives up, and the interpreter does it again, so that results and errors are the same.
 */
import { Path, Reader, Writer } from './bytes.js';
import type { Description } from './description.js';
import { type Decoded, decode, type LoadOptions, load } from './load.js';
import { planCode } from './plan-code.js';
import { emptyMembers, type Saved, type SaveOptions, save, saveDescribed } from './save.js';
import { Scratch } from './scratch.js';

/** A compiled description. */
export interface Plan<S extends object> {
  /** As the function of this name. */
  save(state: S, options?: SaveOptions): Uint8Array;
  saveDescribed(state: S, options?: SaveOptions): Saved;
  load(state: S, bytes: Uint8Array, version?: number, options?: LoadOptions): number;
  /**
   * Like `load`, but a state that it throws for is left half changed: for states that are thrown away then.
   * @returns the offset behind the section.
   */
  loadFresh(state: S, bytes: Uint8Array, version?: number, options?: LoadOptions): number;
  decode(state: S, bytes: Uint8Array, offset?: number, version?: number, options?: { readonly path?: string }): Decoded;
  /** False where the environment forbids code generation (a content security policy without `unsafe-eval`); everything works, slower. */
  readonly compiled: boolean;
}

const plans = new WeakMap<object, Plan<never>>();

/**
 * Compiles a description, once; later calls give the same plan. Hooks and predicates are called as the interpreter calls them, but may be
 * called a second time, on a state put back as it was, when something is wrong.
 */
export function compile<S extends object>(description: Description<S>): Plan<S> {
  let plan = plans.get(description) as Plan<S> | undefined;
  if (plan === undefined) {
    plan = makePlan(description);
    plans.set(description, plan as Plan<never>);
  }
  return plan;
}

function makePlan<S extends object>(description: Description<S>): Plan<S> {
  const code = planCode(description);
  if (code === undefined) return interpreted(description);
  const { saveInto, describeInto, loadFrom } = code;
  /** Where generated code is does not matter: when it fails, the interpreter says where. */
  const nowhere = () => new Path('');
  const scratch = new Scratch<S>();
  let capacity = 256;
  return {
    compiled: true,
    save(state, options) {
      const writer = new Writer(nowhere(), capacity);
      try {
        saveInto(writer, state, description.version);
      } catch {
        return save(description, state, options);
      }
      capacity = writer.used;
      return writer.finish();
    },
    saveDescribed(state, options) {
      const writer = new Writer(nowhere(), capacity);
      const members = emptyMembers(description, description.version);
      try {
        describeInto(writer, state, description.version, members);
      } catch {
        return saveDescribed(description, state, options);
      }
      capacity = writer.used;
      return { bytes: writer.finish(), description: members };
    },
    load(state, bytes, version, options = {}) {
      const decoded = this.decode(state, bytes, options.offset, version, options);
      decoded.commit();
      return decoded.end;
    },
    loadFresh(state, bytes, version = description.version, options = {}) {
      const reader = new Reader(bytes, options.offset ?? 0, nowhere());
      try {
        loadFrom(reader, state, version);
        return reader.position;
      } catch {
        // The state is lost anyway; the interpreter is asked for the error, and answers for itself if it finds none.
        return load(description, state, bytes, version, options);
      }
    },
    decode(state, bytes, offset = 0, version = description.version, options = {}) {
      const fresh = scratch.take(state);
      const reader = new Reader(bytes, offset, nowhere());
      try {
        loadFrom(reader, fresh, version);
      } catch {
        return decode(description, state, bytes, offset, version, options);
      }
      let pending = true;
      return {
        end: reader.position,
        commit() {
          if (pending) scratch.commit(state, fresh);
          pending = false;
        },
      };
    },
  };
}

function interpreted<S extends object>(description: Description<S>): Plan<S> {
  return {
    compiled: false,
    save: (state, options) => save(description, state, options),
    saveDescribed: (state, options) => saveDescribed(description, state, options),
    load: (state, bytes, version, options) => load(description, state, bytes, version, options),
    loadFresh: (state, bytes, version, options) => load(description, state, bytes, version, options),
    decode: (state, bytes, offset, version, options) => decode(description, state, bytes, offset, version, options),
  };
}
