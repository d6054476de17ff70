import { describe, expect, it } from 'vitest';
import { networkPlan, openNetworks } from './networks.js';
import { parseRunOptions } from './run-options.js';

const plan = (...args: string[]) => networkPlan(parseRunOptions(args), 'e1000');

describe('cards and networks of a command line', () => {
  it('has the usual card unless something else is said', () => {
    expect(plan()).toMatchObject({
      netdevs: [{ kind: 'user', id: '#net0' }],
      devices: [{ driver: 'e1000', properties: { netdev: '#net0', mac: '52:54:00:12:34:56' } }],
    });
    expect(plan('-nodefaults').devices).toEqual([]);
    expect(plan('-nic', 'none').devices).toEqual([]);
    expect(plan('-net', 'none').devices).toEqual([]);
    expect(plan('-netdev', 'user,id=n').devices).toEqual([]);
  });

  it('numbers the addresses of cards that have none', () => {
    const { devices } = plan('-nic', 'user,model=ne2k_pci', '-device', 'e1000,mac=1:2:3:4:5:6', '-device', 'e1000');
    expect(devices.map(({ driver, properties }) => [driver, properties.mac])).toEqual([
      ['ne2k_pci', '52:54:00:12:34:56'],
      ['e1000', '1:2:3:4:5:6'],
      ['e1000', '52:54:00:12:34:57'],
    ]);
  });

  it.each([
    [['-nic', 'user,model=rtl8139'], "model 'rtl8139' is not available"],
    [['-net', 'nic'], '-net nic: expected none'],
    [['-netdev', 'user,id=n,net=10.0.2.0/40'], 'expected a network such as'],
    [['-netdev', 'user,id=n,dns=a'], 'dns=a: expected an address'],
    [['-netdev', 'user,id=n', '-netdev', 'user,id=n'], "duplicate id 'n'"],
    [['-netdev', 'hubport,id=h,hubid=1,netdev=x'], "no network 'x' before it"],
  ])('refuses %j', async (args, message) => {
    await expect(async () => openNetworks(plan(...args).netdevs)).rejects.toThrow(message);
  });

  it('joins the ports of a hub', async () => {
    const { byId, setRunning, close } = await openNetworks(
      plan('-netdev', 'hubport,id=a,hubid=0', '-netdev', 'hubport,id=b,hubid=0').netdevs,
    );
    setRunning(true);
    const arrived = new Promise((resolve) => byId.b!.connect(resolve));
    byId.a!.send(Uint8Array.of(1, 2));
    expect(await arrived).toEqual(Uint8Array.of(1, 2));
    close();
  });
});
