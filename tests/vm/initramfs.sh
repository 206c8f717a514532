#!/bin/busybox sh
# The first process of scripts/test_kernel's machine: the root file system is this machine's own, read-only and by 9p,
# with a layer on the machine's disk above it; directories that tests write much to lie on the disk itself.
busybox=/bin/busybox
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sysfs /sys
$busybox mount -t devtmpfs devtmpfs /dev
for module in virtio_pci virtio_blk 9pnet_virtio 9p overlay crc32c_generic ext4; do $busybox modprobe $module; done
for _ in $($busybox seq 200); do [ -b /dev/vda ] && break; $busybox usleep 50000; done
$busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=524288,cache=loose root /lower &&
  $busybox mount -t ext4 /dev/vda /disk &&
  $busybox mkdir /disk/upper /disk/work /disk/tmp &&
  $busybox mount -t overlay -o lowerdir=/lower,upperdir=/disk/upper,workdir=/disk/work overlay /root ||
  exec $busybox poweroff -f
$busybox chmod 1777 /disk/tmp
$busybox mount --bind /disk/tmp /root/tmp
$busybox mount -t tmpfs -o mode=755 tmpfs /root/run
# What the scripts call TOP and MODULES are directories of the machine outside.
$busybox mkdir -p /root/lib/modules
$busybox mount --bind "/lower$MODULES" /root/lib/modules
$busybox mkdir /root/run/top
$busybox mount --bind "/lower$TOP" /root/run/top
exec $busybox switch_root /root /bin/bash /run/top/tests/vm/machine.sh
