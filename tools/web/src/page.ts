import { embeddedGuest } from '@pagurus/guests';
import { drawScreen, loadStream, qcodeOf, saveStream, WebMachine } from '@pagurus/host-web';

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const screen = element<HTMLCanvasElement>('screen');
const serial = element<HTMLPreElement>('serial');
const state = element('state');
const message = element('message');
const buttons = {
  run: element<HTMLButtonElement>('run'),
  save: element<HTMLButtonElement>('save'),
  load: element<HTMLButtonElement>('load'),
  download: element<HTMLButtonElement>('download'),
};

/** Characters of the serial log that are kept. */
const LOG_LENGTH = 20_000;
const SAVED = 'machine';

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
await new Promise<void>((resolve, reject) => {
  worker.addEventListener('message', () => resolve(), { once: true });
  worker.addEventListener('error', (event) => reject(new Error(event.message)), { once: true });
});

const decoder = new TextDecoder('latin1');
const machine = new WebMachine(worker, {
  serial(bytes) {
    serial.textContent = terminalText((serial.textContent ?? '') + decoder.decode(bytes)).slice(-LOG_LENGTH);
    serial.scrollTop = serial.scrollHeight;
  },
  state(next) {
    state.textContent = next;
    buttons.run.textContent = next === 'running' ? 'Stop' : 'Go on';
  },
  shutdown: (reason) => say(`the machine ended: ${reason}`),
  log: (line) => console.warn(line),
});

await machine.create({ type: 'pc-i440fx-7.2', memory: 32 * 2 ** 20, kernel: { image: embeddedGuest() }, vga: 'std' });
await machine.start();
for (const button of Object.values(buttons)) button.disabled = false;

/** What a terminal would show of a log: a line that is cleared (ESC [ K) starts over, carriage returns are gone. */
function terminalText(text: string): string {
  const control = String.fromCharCode(27);
  return text.replace(new RegExp(`[^\\n]*${control}\\[K`, 'g'), '').replaceAll('\r', '');
}

function say(text: string): void {
  message.textContent = text;
}

/** Runs an action of a button and shows what goes wrong. */
function on(button: HTMLButtonElement, action: () => Promise<void>): void {
  button.addEventListener('click', () => {
    button.disabled = true;
    action()
      .catch((error: unknown) => say(error instanceof Error ? error.message : String(error)))
      .finally(() => {
        button.disabled = false;
      });
  });
}

on(buttons.run, async () => ((await machine.runState()) === 'running' ? await machine.stop() : await machine.start()));
on(buttons.save, async () => {
  const stream = await machine.save();
  await saveStream(SAVED, stream);
  say(`saved ${stream.length} bytes`);
});
on(buttons.load, async () => {
  await machine.load(await loadStream(SAVED));
  say('loaded');
});
on(buttons.download, async () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([(await machine.save()) as Uint8Array<ArrayBuffer>]));
  link.download = 'pagurus.qemu-migration';
  link.click();
  URL.revokeObjectURL(link.href);
});

for (const [type, down] of [
  ['keydown', true],
  ['keyup', false],
] as const) {
  screen.addEventListener(type, (event) => {
    const qcode = qcodeOf(event.code);
    if (!qcode || event.repeat) return;
    event.preventDefault();
    void machine.key(qcode, down);
  });
}

async function draw(): Promise<void> {
  const contents = await machine.screen();
  if (contents) drawScreen(screen, contents);
  requestAnimationFrame(() => void draw());
}
await draw();
