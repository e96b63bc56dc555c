#!/bin/bash
# The first process of the guest: lays a layer of memory over the host's files, runs $CVLAN_RUN/command, writes its exit status beside
# it and turns the guest off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

off() {
  echo o >/proc/sysrq-trigger
  while :; do sleep 60; done # it takes the kernel a moment
}

mount -t proc proc /proc
mount -t tmpfs layer /mnt
mkdir /mnt/changes /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/work /mnt/root || off
cd /mnt/root || off
mount -t proc proc proc
mount -t sysfs sys sys
mount -t devtmpfs dev dev
mount -t tmpfs run run
mkdir -p dev/net run/netns run/lock run/host
[ -e dev/net/tun ] || mknod dev/net/tun c 10 200
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t hostfs -o "$CVLAN_RUN" host run/host
pivot_root . mnt
umount -l /mnt
cd /
ip link set lo up
stty -opost </dev/console
bash /run/host/command </dev/null >/dev/console 2>&1
echo $? >/run/host/status
off
