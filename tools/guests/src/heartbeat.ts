import { EMBEDDED } from './embedded.js';
import { sliceSum } from './pattern.js';

/** One heartbeat line of the embedded guest: `beat 7 tick=350 of=3796 wrote=0 at=354+59 sum=077ade03 err=0`. */
export interface Heartbeat {
  /** 1, 2, 3, … since the guest started. */
  readonly seq: number;
  /** Timer tick at which it was due. */
  readonly tick: number;
  /** Pages of the region. */
  readonly pages: number;
  /** Pages rewritten since the guest started. */
  readonly written: number;
  /** Pages that were checked: `count` from `first` on, going round at the end. */
  readonly first: number;
  readonly count: number;
  /** Running sum of all slices so far: rotate left by one, add the slice's sum. */
  readonly sum: number;
  /** Pages the guest itself has found corrupt. */
  readonly errors: number;
}

export interface HeartbeatProblem {
  /** 1-based number of the line in what was given. */
  readonly line: number;
  readonly text: string;
  readonly message: string;
}

export interface HeartbeatReport {
  readonly beats: readonly Heartbeat[];
  readonly problems: readonly HeartbeatProblem[];
}

const BEAT = /beat (\d+) tick=(\d+) of=(\d+) wrote=(\d+) at=(\d+)\+(\d+) sum=([0-9a-f]{8}) err=(\d+)\s*$/;
const BREAK = /beat on tick=(\d+)\s*$/;
const TROUBLE = /CORRUPT |FAULT |\bBAD\s*$/;

/** The heartbeat that a console line carries, or undefined. A prompt and an escape sequence before it do not matter. */
export function parseHeartbeat(line: string): Heartbeat | undefined {
  const match = BEAT.exec(line);
  if (!match) return undefined;
  const [, seq, tick, pages, written, first, count, sum, errors] = match;
  return {
    seq: Number(seq),
    tick: Number(tick),
    pages: Number(pages),
    written: Number(written),
    first: Number(first),
    count: Number(count),
    sum: Number.parseInt(sum!, 16),
    errors: Number(errors),
  };
}

/**
 * Follows a console from any point on. The first heartbeat is taken as it is; each later one must be what follows from the one before:
 * next in sequence and in ticks, next slice, and the running sum of a memory that holds exactly the pattern it must.
 */
export class HeartbeatFollower {
  readonly beats: Heartbeat[] = [];
  readonly problems: HeartbeatProblem[] = [];
  private line = 0;
  private resumedAt: number | undefined;

  /** Takes one console line (without its end). Returns the heartbeat if it was one. */
  push(text: string): Heartbeat | undefined {
    this.line++;
    if (TROUBLE.test(text)) this.complain(text, 'the guest reports damage');
    const resumed = BREAK.exec(text);
    if (resumed) this.resumedAt = Number(resumed[1]);
    const beat = parseHeartbeat(text);
    if (!beat) {
      if (/beat \d+ tick=/.test(text)) this.complain(text, 'a heartbeat line that is cut or garbled');
      return undefined;
    }
    const before = this.beats.at(-1);
    if (before) this.compare(before, beat, text);
    this.resumedAt = undefined;
    if (beat.errors !== (before?.errors ?? 0)) {
      this.complain(text, `the guest counts ${beat.errors} corrupt pages, before ${before?.errors ?? 0}`);
    }
    this.beats.push(beat);
    return beat;
  }

  private compare(before: Heartbeat, beat: Heartbeat, text: string): void {
    const must = (name: string, found: number, expected: number): void => {
      if (found !== expected) this.complain(text, `${name} is ${found}, expected ${expected}`);
    };
    must('seq', beat.seq, before.seq + 1);
    must('tick', beat.tick, (this.resumedAt ?? before.tick) + EMBEDDED.beatTicks);
    must('pages', beat.pages, before.pages);
    must('count', beat.count, before.count);
    must('first', beat.first, (before.first + before.count) % before.pages);
    if (beat.written < before.written) this.complain(text, `written went back from ${before.written} to ${beat.written}`);
    const rotated = ((before.sum << 1) | (before.sum >>> 31)) >>> 0;
    must('sum', beat.sum, (rotated + sliceSum(beat.first, beat.count, beat.pages, beat.written)) >>> 0);
  }

  private complain(text: string, message: string): void {
    this.problems.push({ line: this.line, text, message });
  }
}

/** Checks a console log line by line; see {@link HeartbeatFollower}. Lines that are no heartbeats may stand between. */
export function verifyHeartbeats(lines: Iterable<string>): HeartbeatReport {
  const follower = new HeartbeatFollower();
  for (const line of lines) follower.push(line);
  return { beats: follower.beats, problems: follower.problems };
}
