#!/usr/bin/env bash
# run.sh BIN: tells the stories of IPsec with the programs in BIN (see make interop-ipsec). It prints a line for each story, PASS, FAIL or
# SKIP, and how many of each there were. The exit status is 1 if one failed. Debian's strongSwan is installed if it is missing.
set -euo pipefail
bin=$(realpath "${1:?usage: run.sh BIN}")

main() {
  install_strongswan || echo "no strongSwan, and it cannot be installed"
  local failed=0
  "$bin/tools/interop-ipsec.test" -test.v -test.timeout 10m -test.parallel 4 -bin "$bin" >"$bin/interop-ipsec.log" 2>&1 || failed=1
  report "$bin/interop-ipsec.log" | tee "$bin/interop-ipsec.matrix"
  for verdict in PASS FAIL SKIP; do
    echo "FIGURE interop_${verdict,,} $(grep -c "^$verdict" "$bin/interop-ipsec.matrix" || true)"
  done
  return "$failed"
}

install_strongswan() {
  command -v swanctl >/dev/null && [ -x /usr/sbin/charon-systemd ] && return
  { apt-get -q update && apt-get -q install -y --no-install-recommends strongswan-swanctl charon-systemd strongswan-charon \
    libcharon-extra-plugins libstrongswan-extra-plugins libstrongswan-standard-plugins; } >/dev/null
}

# report makes a line of each story in a test's log, with the last that was said in one which did not pass. Of a story that is told in
# several ways, only the ways count.
report() {
  awk '
    /^=== (RUN|CONT|NAME) / { name = $3 }
    /^ +[a-z_]+_test\.go:[0-9]+: / { said[name] = $0; sub(/^ +[a-z_]+_test\.go:[0-9]+: /, "", said[name]) }
    /^ *--- (PASS|FAIL|SKIP): Test/ {
      verdict = substr($2, 1, 4)
      if ($4 == "(0.00s)" && verdict != "SKIP") next
      printf "%s  %-55s %8s", verdict, substr($3, 5), substr($4, 2, length($4) - 2)
      print verdict == "PASS" || said[$3] == "" ? "" : "  " said[$3]
    }' "$1"
}

main
