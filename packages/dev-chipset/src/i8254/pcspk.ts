import { type Device, type DeviceContext, defineDevice, PropertyError, section } from '@pagurus/device-model';
import type { PitService } from './i8254.js';
import { SpeakerState, speakerVmState } from './pcspk.state.js';
import { SPEAKER } from './spec.js';

export interface SpeakerProperties {
  iobase: number;
  migrate: boolean;
  audiodev: string;
}

/** Port 0x61: gate and output of timer channel 2, speaker data, refresh toggle. Silent: there is no audio backend. */
export const pcspk = defineDevice<SpeakerProperties>({
  type: 'isa-pcspk',
  doc: 'PC speaker port',
  bus: 'isa',
  properties: {
    iobase: { name: 'iobase', type: 'uint32', default: 0x61, doc: 'port' },
    migrate: { name: 'migrate', type: 'bool', default: true, doc: 'send the section; off up to pc-i440fx-2.7' },
    audiodev: { name: 'audiodev', type: 'str', default: '', doc: 'audio backend; none is implemented' },
  },
  create,
});

function create(context: DeviceContext, properties: SpeakerProperties): Device {
  // wiring
  const pit = context.backend<PitService>('pit');
  if (!pit) throw new PropertyError('isa-pcspk', 'pit', 'no timer is connected; the machine has to have an isa-pit');
  if (properties.audiodev !== '')
    throw new PropertyError('isa-pcspk', 'audiodev', `'${properties.audiodev}': there are no audio backends`);
  const region = context.ports.add(properties.iobase, 1, { read, write }, { name: 'pcspk' });

  // state
  const state = new SpeakerState();

  // behaviour
  function read(): number {
    state.refreshClock ^= SPEAKER.REFRESH;
    const gate = pit!.gate(2) ? SPEAKER.GATE : 0;
    const out = pit!.out(2) ? SPEAKER.OUT : 0;
    return gate | (state.dataOn ? SPEAKER.DATA : 0) | (state.refreshClock & SPEAKER.REFRESH) | out;
  }

  function write(_offset: number, value: number): void {
    state.dataOn = value & SPEAKER.DATA ? 1 : 0;
    pit!.setGate(2, (value & SPEAKER.GATE) !== 0);
  }

  return {
    sections: [section(speakerVmState(properties.migrate), state)],
    reset() {
      Object.assign(state, new SpeakerState());
    },
    unrealize() {
      region.remove();
    },
  };
}
