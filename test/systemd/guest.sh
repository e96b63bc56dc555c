#!/usr/bin/env bash
# guest.sh BIN RESOLVED: in the guest, puts systemd-resolved beside the host's systemd, starts that as the first process of a namespace, with one service that
# runs story.sh, and ends as that does.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
chmod 666 /dev/net/tun
mount -t cgroup2 cgroup /sys/fs/cgroup
rm -rf /etc/machine-id /var/lib/cvlan /etc/cvlan /etc/systemd/system/multi-user.target.wants
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
mkdir -p /var/log/journal
for part in etc lib usr; do cp -r "$2/$part/." "/$part/"; done
systemd-sysusers /usr/lib/sysusers.d/systemd-resolve.conf
mkdir -p /etc/systemd/system/systemd-resolved.service.d
printf '[Service]\n' >/etc/systemd/system/systemd-resolved.service.d/open.conf # its sandbox is none of ours, and wants more mounts than this guest has
for shut in PrivateTmp PrivateDevices ProtectClock ProtectControlGroups ProtectHome ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectSystem RestrictNamespaces; do
  echo "$shut=no"
done >>/etc/systemd/system/systemd-resolved.service.d/open.conf
echo ProtectProc=default >>/etc/systemd/system/systemd-resolved.service.d/open.conf
cat >/etc/systemd/system/story.service <<U
[Unit]
After=basic.target
Wants=basic.target systemd-journald.service
[Service]
Type=oneshot
ExecStart=/bin/bash -c '"$here/story.sh" "$1" >/story.out 2>&1; echo \$? >/story.status; systemctl --force --force poweroff'
U
mount --bind /dev/null /dev/console # systemd would tell of each unit there
unshare --pid --fork --mount --mount-proc /lib/systemd/systemd --unit=story.service --log-target=null >/dev/null 2>&1 || true
cat /story.out
exit "$(cat /story.status)"
