#!/usr/bin/env bash
# run.sh BIN: the service as cvlan installs it, under a real systemd: it joins a network, survives kill -9 and restarts, is a router and has an exit, gives names to
# a real systemd-resolved and to a resolv.conf, says why it does not stay up, and goes. It runs in User-Mode Linux (tools/uml), with the host's own
# systemd, and changes nothing of the host; Debian's systemd-resolved, which would, is unpacked in ~/.cache/cvlan/resolved.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# = 1 ] || { sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
[ -x /lib/systemd/systemd ] || { echo "there is no systemd here: apt-get install systemd" >&2; exit 77; }
command -v dbus-daemon >/dev/null || { echo "there is no D-Bus here: apt-get install dbus" >&2; exit 77; }

# fetch_resolved prints the folder of systemd-resolved, of the version of the systemd that is installed, or of a later one if that is no longer to be had.
fetch_resolved() {
  local version dir new
  version=$(dpkg-query -W -f '${Version}' systemd)
  dir=${XDG_CACHE_HOME:-$HOME/.cache}/cvlan/resolved-$version
  if [ ! -x "$dir/lib/systemd/systemd-resolved" ]; then
    mkdir -p "$(dirname "$dir")"
    new=$(mktemp -d "$dir.XXXXXX")
    { apt-get -q update && (cd "$new" && { apt-get -q download "systemd-resolved=$version" || apt-get -q download systemd-resolved; } && dpkg -x ./*.deb . && rm -- ./*.deb); } >/dev/null 2>&1 ||
      { rm -rf "$new" && return 1; }
    chmod 755 "$new" && rm -rf "$dir" && mv "$new" "$dir"
  fi
  echo "$dir"
}

resolved=$(fetch_resolved) || { echo "no systemd-resolved, and it cannot be fetched" >&2; exit 77; }
exec "$here/../../tools/uml/run.sh" -t "${LIMIT:-400}" "$here/guest.sh" "$(realpath "$1")" "$resolved"
