#!/bin/bash
# The first process of a lab: makes the "host" around itself and an "internet" beside it, says so, then holds
# both until it is killed, and everything with it. Runs in new mount, network and PID namespaces of its own:
#
#   container ranges ── host: eth0 10.0.24.5/24 ── wan0 10.0.24.1/24 :internet: 220.181.38.152 (dns, web)
#
# The internet knows no way back to any container range: what leaves the host unmasqueraded gets no answer.
# Usage: world.sh DIRECTORY NAME
set -euo pipefail
directory=$1 name=$2 mtu=${LAB_MTU:-1500}

hold_cgroups() {
  # A subdirectory of every hierarchy stands where the hierarchy's root was: labs side by side don't see each other.
  # (runc does not find its way there: the labs of the bench's rivals keep the machine's.)
  local from=$directory/cgroup hierarchy
  mkdir "$from" && mount --rbind /sys/fs/cgroup "$from"
  umount -lR /sys
  mount -t sysfs sysfs /sys
  if [ "${LAB_CGROUPS:-own}" = machine ]; then
    mount --rbind "$from" /sys/fs/cgroup
  elif [ -f "$from/cgroup.controllers" ]; then
    mkdir "$from/$name" && mount --bind "$from/$name" /sys/fs/cgroup
  else
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    for hierarchy in "$from"/*/; do
      hierarchy=$(basename "$hierarchy")
      # A hierarchy that cannot be written is not offered.
      mkdir "$from/$hierarchy/$name" 2>/dev/null || continue
      if [ -f "$from/$hierarchy/cpuset.cpus" ]; then
        cat "$from/$hierarchy/cpuset.cpus" >"$from/$hierarchy/$name/cpuset.cpus"
        cat "$from/$hierarchy/cpuset.mems" >"$from/$hierarchy/$name/cpuset.mems"
      fi
      mkdir "/sys/fs/cgroup/$hierarchy"
      mount --bind "$from/$hierarchy/$name" "/sys/fs/cgroup/$hierarchy"
    done
  fi
  umount -lR "$from" && rmdir "$from"
}

hold_files() {
  # Copies of the machine's own mounts there would go on under the tmpfs, and vanish when their makers end.
  local mounted
  # One that is deleted meanwhile is gone here, too.
  awk '$5 ~ "^/run/netns(/|$)" {print $5}' /proc/self/mountinfo | sort -r | while read -r mounted; do
    umount -l "$mounted" 2>/dev/null || { if mountpoint -q "$mounted"; then exit 1; fi; }
  done
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock /run/netns
  # /var/lib/skdocker on the same kind of file system as the lab's directory, not on a tmpfs.
  mount -t tmpfs -o mode=755 tmpfs /var/lib
  mkdir -p /var/lib/skdocker /var/lib/misc "$directory/data"
  mount --bind "$directory/data" /var/lib/skdocker
  printf '127.0.0.1\tlocalhost\n10.0.24.5\tlabhost\n' >"$directory/hosts"
  mount --bind "$directory/hosts" /etc/hosts
  printf '%b' "${LAB_RESOLV_CONF:-nameserver 220.181.38.152\n}" >"$directory/resolv.conf"
  local resolv
  resolv=$(readlink -m /etc/resolv.conf)
  # The link of a host with systemd-resolved points into /run, which is empty here.
  case $resolv in /run/*) mkdir -p "$(dirname "$resolv")" && touch "$resolv" ;; esac
  mount --bind "$directory/resolv.conf" "$resolv"
}

# A new namespace takes its IPv4 settings from the machine, so every one a test may depend on is written.
write_sysctls() {
  local which
  for which in all default lo; do
    sysctl -qw "net.ipv4.conf.$which.forwarding=0" "net.ipv4.conf.$which.rp_filter=0" \
      "net.ipv4.conf.$which.arp_ignore=0" "net.ipv4.conf.$which.arp_announce=0" "net.ipv4.conf.$which.proxy_arp=0" \
      "net.ipv4.conf.$which.accept_redirects=1" "net.ipv4.conf.$which.send_redirects=1" \
      "net.ipv4.conf.$which.route_localnet=0" "net.ipv4.conf.$which.accept_local=0" "net.ipv4.conf.$which.arp_filter=0"
    [ ! -d /proc/sys/net/ipv6 ] || sysctl -qw "net.ipv6.conf.$which.disable_ipv6=0" "net.ipv6.conf.$which.forwarding=0" \
      "net.ipv6.conf.$which.accept_ra=1" "net.ipv6.conf.$which.accept_redirects=1"
  done
  sysctl -qw net.ipv4.ip_forward=0 net.ipv4.icmp_echo_ignore_all=0 net.ipv4.ip_unprivileged_port_start=1024 \
    net.ipv4.ip_local_port_range="32768 60999" net.ipv4.ip_nonlocal_bind=0 net.ipv4.ping_group_range="1 0"
  if [ -d /proc/sys/net/bridge ]; then
    sysctl -qw "net.bridge.bridge-nf-call-iptables=${LAB_BRIDGE_NF:-0}" \
      "net.bridge.bridge-nf-call-ip6tables=${LAB_BRIDGE_NF:-0}" net.bridge.bridge-nf-call-arptables=0
  fi
}

in_internet() { nsenter --net=/run/netns/internet -- "$@"; }
export -f write_sysctls

build_links() {
  ip netns add internet
  write_sysctls
  in_internet bash -c write_sysctls
  ip link add eth0 address 52:54:00:00:24:05 mtu "$mtu" type veth \
    peer name wan0 netns internet address 52:54:00:00:24:01 mtu "$mtu"
  ip link set eth0 addrgenmode none
  in_internet ip link set wan0 addrgenmode none
  in_internet ip link set lo up
  in_internet ip address add 10.0.24.1/24 dev wan0
  in_internet ip address add 220.181.38.152/32 dev lo
  in_internet ip link set wan0 up
  ip link set lo up
  ip address add 10.0.24.5/24 dev eth0
  ip link set eth0 up
  ip route add default via 10.0.24.1
}

serve() {
  mkdir "$directory/www"
  echo "the internet says hello" >"$directory/www/index.html"
  in_internet busybox httpd -f -p 80 -h "$directory/www" &
  in_internet dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file= --no-resolv --no-hosts \
    --no-daemon --bind-interfaces --listen-address=10.0.24.1,220.181.38.152 --cache-size=0 --log-facility="$directory/dnsmasq.log" \
    --log-queries --host-record=baidu.com,220.181.38.152 --host-record=lab.test,10.0.24.1 "--address=/#/" >/dev/null 2>&1 &
}

mount -t proc proc /proc
hold_cgroups
hold_files
build_links
serve
# Both servers listen before anyone asks them: a question asked too early is repeated after seconds only.
for _ in $(seq 500); do
  listening=$(in_internet ss -lnutH)
  [[ $listening == *"tcp "*":80 "* && $listening == *"udp "*"220.181.38.152:53 "* ]] && break
  sleep 0.01
done
# The kernel reports a new link's carrier, and makes its multicast route, up to a second late: not during a test.
for _ in $(seq 300); do
  link=$(ip link show eth0)
  [[ $link == *"state UP"* ]] && { [ ! -d /proc/sys/net/ipv6 ] || [[ $(ip -6 route show table local dev eth0) == *ff00* ]]; } && break
  sleep 0.01
done
busybox nslookup -type=a baidu.com 220.181.38.152 >/dev/null
busybox wget -q -O /dev/null http://220.181.38.152/
touch "$directory/ready"
# An ignored SIGCHLD is inherited by exec: as the first process of the namespace, sleep then leaves no zombies.
trap '' CHLD
exec sleep infinity
