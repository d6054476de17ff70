import { PropertyError } from '@pagurus/device-model';
import type { IdeChannel } from './ide-channel.js';
import type { IdeSlot } from './piix3-ide.js';

/** A place for a drive on a channel. */
export function channelSlot(target: IdeChannel, channel: number, unit: number): IdeSlot {
  return {
    channel,
    unit,
    plug(type, options) {
      const drive = target.drives[unit]!;
      if (drive.present) throw new PropertyError(type, 'unit', `ide.${channel} unit ${unit} is in use`);
      target.plug(unit, options);
      return {
        changeMedium: (backend) => target.changeMedium(unit, backend),
        requestEject: (force) => target.requestEject(unit, force),
        get trayOpen() {
          return drive.state.trayOpen;
        },
        get trayLocked() {
          return drive.state.trayLocked;
        },
      };
    },
  };
}
