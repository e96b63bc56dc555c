#!/usr/bin/env bash
# story.sh BIN: what an administrator does with the service, and what must come of it. The controller and a peer are in a namespace beside.
set -uo pipefail
export PATH=$1:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
cd "$(mktemp -d)" || exit 1

# must WHAT COMMAND...: the command ends well and prints what is expected; "" is anything.
must() {
  local want=$1 said
  shift
  said=$("$@" 2>&1) && [[ $said == *"$want"* ]] && { echo "ok    $*"; return; }
  printf 'FAIL  %s\n      want: %s\n      said: %s\n' "$*" "$want" "$said"
  journalctl -u cvland -n 20 --no-pager -o cat
  exit 1
}

# within SECONDS COMMAND...: the command ends well in time.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { echo "FAIL  in time: $*"; journalctl -u cvland -n 20 --no-pager -o cat; exit 1; }
    sleep 0.2
  done
  echo "ok    $*"
}

not() { ! "$@"; }
is() { diff <(echo "$1") "$2"; }
ruled() { ip rule | grep -q 15700; }
leads() { cvlan status | grep -q 'exit  *far$'; }
knows() { resolvectl domain cvlan0 | grep -q "$domain"; }
kills() { kill -9 "$(systemctl show -P MainPID cvland)"; }

doctor() { cvlan doctor --quick || true; }
service() { cvlan service status || true; }

ip link set lo up
ip netns add far
ip link add eth0 type veth peer name eth0 netns far
ip addr add 203.0.113.3/24 dev eth0 && ip link set eth0 up
ip -n far addr add 203.0.113.2/24 dev eth0 && ip -n far link set eth0 up && ip -n far link set lo up
ip route add default via 203.0.113.2 && ip -n far route add default via 203.0.113.3
own='nameserver 192.0.2.53
options timeout:1'
rm -f /etc/resolv.conf && echo "$own" >/etc/resolv.conf
mkdir -p /etc/netns/far && echo "$own" >/etc/netns/far/resolv.conf # of the namespace: its daemon writes there
ip netns exec far cvlan-controller serve --with-relay --data "$PWD/data" --address 203.0.113.2:8443 >ctl.log 2>&1 &
within 60 cvlan admin login --key-file data/admin.key
must office cvlan admin network create office
must "" cvlan admin key create --network office --uses 2 --out join.key
ip netns exec far cvland --state "$PWD/far" --socket "$PWD/far.sock" >far.log 2>&1 &
within 20 cvlan --socket "$PWD/far.sock" up --hostname far --key-file join.key

must "sudo cvlan service install" doctor
must "is a service now, and runs" cvlan service install
must "is up in office" cvlan up --key-file join.key --hostname box
within 20 cvlan ping -c 1 far
must "" cvlan set protocol ipsec
within 20 cvlan ping -c 1 far
must "" cvlan set port 500 # below 1024, by a capability
within 20 cvlan ping -c 1 far

echo "      it is killed, and comes back"
kills
within 20 cvlan ping -c 1 far
must "" systemctl restart cvland
within 20 cvlan ping -c 1 far

echo "      names, by a resolv.conf"
domain=$(cvlan status --json | sed -n 's/.*"domain": *"\([^"]*\)".*/\1/p' | head -1)
within 20 getent hosts "far.$domain"
must "nameserver 127.0.67.53" cat /etc/resolv.conf
must "nameserver 192.0.2.53" cat /etc/resolv.conf
kills
within 20 getent hosts "far.$domain"
must "" systemctl stop cvland
must "" is "$own" /etc/resolv.conf
must "" systemctl start cvland

echo "      names, by systemd-resolved"
must "" systemctl start dbus systemd-resolved
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
within 40 knows
must "cvlan.internal" resolvectl query far
must "far.$domain" getent hosts far
must "far.$domain" getent hosts "$(cvlan ip far | head -1)"
kills
within 20 resolvectl query far
must "" systemctl restart systemd-resolved
within 40 knows
must "far.$domain" resolvectl query far
must "" cvlan set dns off
within 20 not resolvectl query far
must "" cvlan set dns on
within 20 resolvectl query far
must "" systemctl stop cvland
must "" not resolvectl query far
must "" systemctl start cvland
within 20 resolvectl query far

echo "      it leads others to the internet, and is led there"
must "" cvlan exit offer
must "" cvlan admin route approve box exit
within 20 is 1 /proc/sys/net/ipv4/conf/cvlan0/forwarding
must "" cvlan exit withdraw
within 20 is 0 /proc/sys/net/ipv4/conf/eth0/forwarding
must "" cvlan --socket "$PWD/far.sock" exit offer
must "" cvlan admin route approve far exit
echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter
within 20 cvlan exit use far
within 20 leads
must "" is 2 /proc/sys/net/ipv4/conf/all/rp_filter
kills
must "" ruled
within 20 leads
must "" systemctl stop cvland
must "" not ruled
must "" systemctl start cvland
within 20 leads

echo "      it is stopped, and leaves no interface"
must "" systemctl stop cvland
! ip link show cvlan0 >/dev/null 2>&1 || { echo "FAIL  cvlan0 is still there"; exit 1; }
must "sudo cvlan doctor --fix" doctor
must "done: systemctl start cvland" bash -c 'cvlan doctor --fix --quick || true'
within 20 cvlan ping -c 1 far

echo "      a setting that does not exist"
mkdir -p /etc/cvlan && echo 'prot = 7' >/etc/cvlan/cvland.toml
systemctl restart cvland
sleep 1
must "does not stay up" service
must 'no setting is called "prot"' doctor
rm /etc/cvlan/cvland.toml
within 20 cvlan ping -c 1 far

must "" ruled
must "" systemctl kill -s KILL cvland
must "is no service any more" cvlan service uninstall
must "" not ruled
must "is no service of this machine" service
[ -d /var/lib/cvlan/networks ] || { echo "FAIL  the keys are gone"; exit 1; }
echo "The service does under systemd what it should."
