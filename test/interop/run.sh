#!/usr/bin/env bash
# run.sh BIN: tells the interoperability stories with the programs in BIN (see make interop-wg). It prints a line for each story,
# PASS, FAIL or SKIP, and FIGURE interop_wg_pass with the number that passed. The exit status is 1 if one failed.
#
# wireguard-go is met on this machine, the kernel's WireGuard here too if there is one, else in User-Mode Linux (CVLAN_UML, and
# CVLAN_UML_TIME for the seconds that its build may take: see tools/uml/build.sh). Where neither is to be had, the kernel's stories are
# skipped. Debian's wireguard-tools and iproute2 are installed if they are missing. Both parties are met at the same time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(realpath "${1:?usage: run.sh BIN}")
uml=$here/../../tools/uml

main() {
  rm -f "$bin"/interop*.matrix
  install_tools || { echo "SKIP  all: no wg or ip, and they cannot be installed"; figure 0; return; }
  local kinds=wireguard-go failed=0 inside=
  if has_wireguard; then
    kinds+=,kernel
  else
    meet_in_uml &
    inside=$!
  fi
  stories "$kinds" 16 env >"$bin/interop.log" 2>&1 || failed=1
  report "$bin/interop.log" | tee "$bin/interop.matrix"
  if [ -n "$inside" ]; then
    wait "$inside" || failed=1
    tee -a "$bin/interop.matrix" <"$bin/interop-uml.matrix"
  fi
  figure "$(grep -c ^PASS "$bin/interop.matrix" || true)"
  return "$failed"
}

install_tools() {
  command -v wg >/dev/null && command -v ip >/dev/null && return
  { apt-get -q update && apt-get -q install -y --no-install-recommends wireguard-tools iproute2; } >/dev/null
}

has_wireguard() { unshare -n ip link add type wireguard 2>/dev/null; }

# meet_in_uml lets time travel, so that minutes of waiting cost nothing. The stories share one slow processor, so there are few at a time.
meet_in_uml() {
  if ! CVLAN_UML=$("$uml/build.sh" 2>"$bin/interop-uml.build"); then
    {
      echo "SKIP  kernel: this machine's kernel has no WireGuard, and there is no User-Mode Linux:"
      tail -3 "$bin/interop-uml.build" | sed 's/^/      /'
    } >"$bin/interop-uml.matrix"
    return
  fi
  local status=0
  export CVLAN_UML
  stories kernel 4 "$uml/run.sh" -T -t 600 >"$bin/interop-uml.log" 2>&1 || status=$?
  report "$bin/interop-uml.log" >"$bin/interop-uml.matrix"
  [ "$status" != 125 ] || echo "FAIL  kernel: the guest died or ran out of time; see $bin/interop-uml.log" >>"$bin/interop-uml.matrix"
  return "$status"
}

# stories THEIRS PARALLEL RUNNER... meets these kinds in a program that is run by another.
stories() {
  cd "$here"
  "${@:3}" "$bin/tools/interop.test" -test.v -test.timeout 20m -test.parallel "$2" -bin "$bin" -theirs "$1"
}

# report makes a line of each story in a test's log, with the last that was said in one which did not pass.
report() {
  awk '
    /^=== (RUN|CONT|NAME) / { name = $3 }
    /^ +[a-z_]+_test\.go:[0-9]+: / { said[name] = $0; sub(/^ +[a-z_]+_test\.go:[0-9]+: /, "", said[name]) }
    /^ +--- (PASS|FAIL|SKIP): Test[^ ]*\// {
      verdict = substr($2, 1, 4)
      printf "%s  %-55s %8s", verdict, substr($3, 5), substr($4, 2, length($4) - 2)
      print verdict == "PASS" || said[$3] == "" ? "" : "  " said[$3]
    }' "$1"
}

figure() { echo "FIGURE interop_wg_pass $1"; }

main
