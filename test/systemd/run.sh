#!/usr/bin/env bash
# run.sh BIN: the service as cvlan installs it, under a real systemd: it joins a network, survives kill -9 and restarts, says why it does
# not stay up, and goes. It runs in User-Mode Linux (tools/uml), with the host's own systemd, and changes nothing of the host.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# = 1 ] || { sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
[ -x /lib/systemd/systemd ] || { echo "there is no systemd here: apt-get install systemd" >&2; exit 77; }
exec "$here/../../tools/uml/run.sh" -t "${LIMIT:-300}" "$here/guest.sh" "$(realpath "$1")"
