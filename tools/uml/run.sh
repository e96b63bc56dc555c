#!/usr/bin/env bash
# run.sh [-t SECONDS] [-T] COMMAND [ARGUMENT...]: runs one command as root in User-Mode Linux and ends with its exit status.
#
#   -t  the time limit of the whole run in real seconds (120); 125 is the exit status of a guest that ran into it or died
#   -T  time travels: while everybody in the guest waits, its clock goes on to the next deadline at once
#
# The guest sees the host's files and may change them all, but the changes are its own and go with it. It has no network and no
# processes of the host; the working folder, PATH, HOME and LANG are the caller's. The command's two outputs arrive as one. CVLAN_UML may
# name the kernel (see build.sh), CVLAN_UML_MEM its memory (768M).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

main() {
  local limit=120 travel=()
  while getopts t:T flag; do
    case $flag in
      t) limit=$OPTARG ;;
      # The start of this source of randomness measures the clock, and takes 15 seconds where that stands still meanwhile.
      T) travel=(time-travel initcall_blacklist=jent_mod_init) ;;
      *) usage ;;
    esac
  done
  shift $((OPTIND - 1))
  [ $# -ge 1 ] || usage

  local kernel dir
  kernel=$("$here/build.sh")
  dir=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder's name of now
  trap "rm -rf '$dir'" EXIT
  write_command "$@" >"$dir/command"
  boot "$limit" "$kernel" "$dir" "${travel[@]}" 2>"$dir/diagnosis" | sed -u '/^sysrq: Power Off$/d; /^reboot: Power down$/d' || true
  [ ! -s "$dir/status" ] || exit "$(<"$dir/status")"
  cat "$dir/diagnosis" >&2
  echo "run.sh: the guest did not come to its end within $limit s" >&2
  exit 125
}

write_command() {
  printf 'export PATH=%q HOME=%q LANG=%q\ncd %q\nexec' "$PATH" "$HOME" "${LANG:-C}" "$PWD"
  printf ' %q' "$@"
  echo
}

# boot gives the guest its console on our standard output, and a host's folder for the command and its status.
boot() {
  local limit=$1 kernel=$2 dir=$3
  shift 3
  LD_PRELOAD=$(shim "$kernel" "$dir") timeout -k 3 "$limit" "$kernel" "mem=${CVLAN_UML_MEM:-768M}" \
    root=/dev/root rootfstype=hostfs rootflags=/ ro "init=$here/init.sh" "CVLAN_RUN=$dir" "uml_dir=$dir" \
    con=null con0=null,fd:1 ssl=null loglevel=1 "$@" </dev/null
}

# shim is the library beside the kernel, or a new one for a kernel from elsewhere.
shim() {
  local so
  so=$(dirname "$1")/xstate.so
  [ -e "$so" ] || { so=$2/xstate.so; gcc -O2 -shared -fPIC -o "$so" "$here/xstate.c"; }
  echo "$so"
}

usage() { sed -n '2s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }

main "$@"
