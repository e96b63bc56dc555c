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

doctor() { cvlan doctor --quick || true; }
service() { cvlan service status || true; }

ip link set lo up
ip netns add far
ip link add eth0 type veth peer name eth0 netns far
ip addr add 203.0.113.3/24 dev eth0 && ip link set eth0 up
ip -n far addr add 203.0.113.2/24 dev eth0 && ip -n far link set eth0 up && ip -n far link set lo up
ip netns exec far cvlan-controller serve --with-relay --data "$PWD/data" --address 203.0.113.2:8443 >ctl.log 2>&1 &
within 60 cvlan admin login --key-file data/admin.key
must office cvlan admin network create office
must "" cvlan admin key create --network office --uses 2 --out join.key
ip netns exec far cvland --state "$PWD/far" --socket "$PWD/far.sock" >far.log 2>&1 &
within 20 cvlan --socket "$PWD/far.sock" up --hostname far --key-file join.key

must "sudo cvlan service install" doctor
must "is a service now, and runs" cvlan service install
must "is up in office" cvlan up --key-file join.key
within 20 cvlan ping -c 1 far
must "" cvlan set protocol ipsec
within 20 cvlan ping -c 1 far
must "" cvlan set port 500 # below 1024, by a capability
within 20 cvlan ping -c 1 far

echo "      it is killed, and comes back"
kill -9 "$(systemctl show -P MainPID cvland)"
within 20 cvlan ping -c 1 far
must "" systemctl restart cvland
within 20 cvlan ping -c 1 far

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

must "is no service any more" cvlan service uninstall
must "is no service of this machine" service
[ -d /var/lib/cvlan/networks ] || { echo "FAIL  the keys are gone"; exit 1; }
echo "The service does under systemd what it should."
