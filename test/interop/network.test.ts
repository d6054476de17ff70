import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Socket, createServer as tcpServer } from 'node:net';
import { linuxGuest } from '@pagurus/guests/linux';
import { expect, it } from 'vitest';
import { withParts } from './parts.js';
import { command, pagurus } from './process.js';

const BOOT = 240_000;

const start = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in /lib/modules/*.ko; do insmod $module; done
ip link set lo up; ip link set eth0 up
`;

async function freePort(): Promise<number> {
  const server = tcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

const machine = (initrd: string, kernel: string) => [
  ...['-M', 'pc-i440fx-7.2', '-m', '128', '-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
  ...['-bios', 'bios-256k.bin', '-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=-1'],
];

withParts('networks', ['qemu', 'seabios', 'guests'], () => {
  it('a guest of ours and one of real QEMU ping each other over -netdev socket', { timeout: 2 * BOOT }, async () => {
    const guest = (own: string, other: string) =>
      linuxGuest(
        'i386',
        `${start}ip addr add ${own}/24 dev eth0\nuntil ping -c 3 ${other}; do sleep 1; done\necho ALL DONE\nexec sh\n`,
        {
          modules: ['e1000'],
        },
      );
    const port = await freePort();
    const one = guest('10.9.0.1', '10.9.0.2');
    const ours = pagurus(
      ...['run', ...machine(one.initrd, one.kernel)],
      ...['-netdev', `socket,id=n0,listen=127.0.0.1:${port}`, '-device', 'e1000,netdev=n0'],
    );
    await ours.waitFor(/./, BOOT);
    const two = guest('10.9.0.2', '10.9.0.1');
    const theirs = command(
      'qemu-system-i386',
      ...machine(two.initrd, two.kernel),
      ...['-netdev', `socket,id=n0,connect=127.0.0.1:${port}`, '-device', 'e1000,netdev=n0,mac=52:54:00:12:34:99'],
    );
    await ours.waitFor(/ALL DONE/, BOOT);
    await theirs.waitFor(/ALL DONE/, BOOT);
    expect(ours.output).toMatch(/3 packets transmitted, [123] packets received/);
    expect(theirs.output).toMatch(/3 packets transmitted, [123] packets received/);
  });

  it('a user network: DHCP, a download from the host, a client of the host in the guest', { timeout: BOOT }, async () => {
    const page = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) & 0xff));
    const server = createServer((_request, response) => void response.end(page)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const forwarded = await freePort();
    const script = `${start}
cat >/bin/bound <<X
#!/bin/sh
[ "\\$1" = bound ] && ip addr add \\$ip/\\$mask dev \\$interface && ip route add default via \\$router && echo BOUND \\$ip \\$router \\$dns
X
chmod +x /bin/bound
udhcpc -i eth0 -n -q -s /bin/bound
ping -c 2 10.0.2.2
wget -q -O /tmp/page http://10.0.2.2:${port}/ && echo MD5 $(md5sum </tmp/page)
echo LISTENING
echo hello from the guest | nc -l -p 7777
echo SERVED
exec sh
`;
    const { kernel, initrd } = linuxGuest('i386', script, { modules: ['e1000'] });
    const guest = pagurus(...['run', ...machine(initrd, kernel)], ...['-nic', `user,hostfwd=tcp:127.0.0.1:${forwarded}-:7777`]);
    await guest.waitFor(/LISTENING/, BOOT);
    expect(guest.output).toMatch(/BOUND 10\.0\.2\.15 10\.0\.2\.2 10\.0\.2\.3/);
    expect(guest.output).toMatch(/2 packets transmitted, [12] packets received/);
    expect(guest.output).toContain(`MD5 ${createHash('md5').update(page).digest('hex')}`);
    // Until the guest's program listens, its kernel refuses.
    let said = '';
    while (said === '') {
      const client = new Socket().connect(forwarded, '127.0.0.1');
      client.on('error', () => {});
      client.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      await once(client, 'close');
    }
    expect(said).toBe('hello from the guest\n');
    await guest.waitFor(/SERVED/, BOOT);
    server.close();
  });
});
