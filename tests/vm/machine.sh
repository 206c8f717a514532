#!/bin/bash
# The machine of scripts/test_kernel, once its root file system is there: mounts what a server has, runs the tests that
# the kernel's command line names, and turns the machine off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=linux NO_COLOR=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /run/lock
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
[ -L /dev/fd ] || ln -s /proc/self/fd /dev/fd
mount --make-rshared / # as systemd has it
option() { sed -n "s/.* $1=\([^ ]*\).*/\1/p" /proc/cmdline; }
if [ "$(option cgroup)" = v1 ]; then
  mount -t tmpfs cgroup /sys/fs/cgroup
  for controller in cpu memory pids freezer devices; do
    mkdir /sys/fs/cgroup/$controller
    mount -t cgroup -o $controller cgroup /sys/fs/cgroup/$controller
  done
else
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
ip link set lo up
echo 1 >/proc/sys/kernel/printk
modprobe -a nf_tables br_netfilter overlay

# Copied: read over 9p, a build would be read again by every test.
mkdir /tmp/top && cd /tmp/top || exit
cp -r /run/top/{ffi,src,tests,scripts,package.json,tsconfig.json} .
mkdir dist && cp -r /run/top/dist/{skdocker,skdocker-faults,generated} dist/
ln -s /run/top/node_modules node_modules
echo # the firmware leaves the line it wrote on
echo "== Linux $(uname -r), control groups $(option cgroup)"
IFS=, read -ra tests <<<"$(option tests)"
failed=0
for name in "${tests[@]}"; do
  # Emulated, everything takes thirty times as long.
  timeout 3000 node_modules/.bin/bun test --timeout 600000 "./tests/system/${name}_test.ts" 2>&1 || failed=$((failed + 1))
done
echo "== ${#tests[@]} files, $failed failed"
sync
busybox poweroff -f
