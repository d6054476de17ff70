/** Write-heavy work on a file system, the same every time, whose files can be compared afterwards. */
export const SCRIPT = `#!/bin/busybox sh
mount -t proc proc /proc
exec >/dev/ttyS0 2>&1 </dev/ttyS0
echo "ROOT $(grep ' / ' /proc/mounts)"
mount -o remount,rw /
echo "READY"
cd /work
awk 'BEGIN { x = 1; for (i = 0; i < 2000; i++) { x = (x * 1103 + 12345) % 65536; printf "%d %08d line of a file\\n", i, x } }' >seed
round=0
while [ $round -lt 3 ]; do
  mkdir -p d$round/a/b
  for part in 1 2 3 4 5 6 7 8; do cat seed; echo "round $round part $part"; done >d$round/large
  for n in 0 1 2 3 4 5 6 7 8 9; do dd if=seed of=d$round/a/f$n bs=1000 skip=$n count=$((n + 3)) 2>/dev/null; done
  cp d$round/large d$round/a/b/copy
  sync
  dd if=d$round/large of=d$round/holes bs=4096 seek=100 count=20 2>/dev/null
  dd if=d$round/large of=d$round/large bs=512 skip=3 seek=700 count=9 conv=notrunc 2>/dev/null
  mv d$round/a/f3 d$round/moved; rm d$round/a/f1; ln -s ../large d$round/a/link; ln d$round/moved d$round/hard
  echo "ROUND $round"
  round=$((round+1))
done
rm -r d1
echo 3 >/proc/sys/vm/drop_caches
echo "SUM $(find . -type f | sort | xargs md5sum | md5sum)"
sync
mount -o remount,ro / && echo "CLEAN"
poweroff -f
`;

/** What it calls, as links to busybox. */
export const APPLETS = 'sh mount grep awk mkdir cat dd cp sync mv rm ln find sort xargs md5sum poweroff sleep'.split(' ');

export const MENU = `serial --unit=0 --speed=115200
set timeout=-1
menuentry "Debian" { linux /boot/vmlinuz root=/dev/sda1 console=ttyS0 quiet panic=-1 ; initrd /boot/initrd.gz }
menuentry "Another crab" { echo another was chosen ; sleep 1000 }
`;
