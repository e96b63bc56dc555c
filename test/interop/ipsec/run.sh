#!/usr/bin/env bash
# run.sh BIN: tells the stories of IPsec with the programs in BIN (see make interop-ipsec). It prints a line for each story, PASS, FAIL or
# SKIP, and how many of each there were. The exit status is 1 if one failed. Debian's strongSwan is installed if it is missing.
#
# strongSwan is met twice: with its own ESP on this machine, and with the kernel's: this machine's where it has ESP, else that of User-Mode Linux
# (CVLAN_UML, and CVLAN_UML_TIME for the seconds that its build may take: see tools/uml/build.sh). Where neither is to be had, its stories are
# skipped. Debian's libreswan, which cannot be installed beside strongSwan, is unpacked in ~/.cache/cvlan/libreswan and met with the kernel's ESP.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(realpath "${1:?usage: run.sh BIN}")
uml=$here/../../../tools/uml

main() {
  libreswan=$(fetch_libreswan) || echo "no libreswan, and it cannot be fetched"
  install_strongswan || echo "no strongSwan, and it cannot be installed"
  local failed=0 inside=
  if kernel_has_esp; then
    meet_here &
  else
    meet_in_uml &
  fi
  inside=$!
  stories 4 env >"$bin/interop-ipsec.log" 2>&1 || failed=1
  report own "$bin/interop-ipsec.log" | tee "$bin/interop-ipsec.matrix"
  wait "$inside" || failed=1
  tee -a "$bin/interop-ipsec.matrix" <"$bin/interop-ipsec-kernel.matrix"
  for verdict in PASS FAIL SKIP; do
    echo "FIGURE interop_${verdict,,} $(grep -c "^$verdict" "$bin/interop-ipsec.matrix" || true)"
  done
  return "$failed"
}

# stories PARALLEL RUNNER... tells them in a program that is run by another.
stories() {
  "${@:2}" "$bin/tools/interop-ipsec.test" -test.v -test.timeout 25m -test.parallel "$1" -bin "$bin" -libreswan "$libreswan" "${whose[@]}"
}
whose=(-test.skip Libreswan) # it has no ESP of its own
libreswan=

# kernel_has_esp reports whether this machine's kernel carries ESP, with a device for it.
kernel_has_esp() {
  unshare -n sh -c 'ip link set lo up && ip link add x0 type xfrm dev lo if_id 1 &&
    ip xfrm state add src 127.0.0.1 dst 127.0.0.1 proto esp spi 0x30000001 mode tunnel \
      aead "rfc4106(gcm(aes))" 0x0102030405060708090a0b0c0d0e0f1011121314 128' 2>/dev/null
}

# meet_here meets the kernel's ESP on this machine.
meet_here() {
  local status=0
  whose=(-kernel)
  stories 2 env >"$bin/interop-ipsec-kernel.log" 2>&1 || status=$?
  report kernel "$bin/interop-ipsec-kernel.log" >"$bin/interop-ipsec-kernel.matrix"
  return "$status"
}

# meet_in_uml meets the kernel's ESP in a guest. The guest has one slow processor, so one story is told at a time.
meet_in_uml() {
  if ! CVLAN_UML=$("$uml/build.sh" 2>"$bin/interop-ipsec-uml.build"); then
    {
      echo "SKIP  kernel: there is no User-Mode Linux:"
      tail -3 "$bin/interop-ipsec-uml.build" | sed 's/^/      /'
    } >"$bin/interop-ipsec-kernel.matrix"
    return
  fi
  local status=0
  export CVLAN_UML
  whose=(-kernel)
  stories 1 "$uml/run.sh" -t 1500 >"$bin/interop-ipsec-kernel.log" 2>&1 || status=$?
  report kernel "$bin/interop-ipsec-kernel.log" >"$bin/interop-ipsec-kernel.matrix"
  [ "$status" != 125 ] || echo "FAIL  kernel: the guest died or ran out of time; see $bin/interop-ipsec-kernel.log" >>"$bin/interop-ipsec-kernel.matrix"
  return "$status"
}

# fetch_libreswan prints the folder of libreswan and of the libraries that it needs.
fetch_libreswan() {
  local dir=${XDG_CACHE_HOME:-$HOME/.cache}/cvlan/libreswan new
  if [ ! -x "$dir/usr/libexec/ipsec/pluto" ]; then
    mkdir -p "$(dirname "$dir")"
    new=$(mktemp -d "$dir.XXXXXX")
    { apt-get -q update && (cd "$new" && apt-get -q download libreswan libnss3 libnspr4 libnss3-tools libldns3 libunbound8 libevent-core-2.1-7 \
      libevent-pthreads-2.1-7 libcurl3-nss libcap-ng0 dns-root-data && for d in *.deb; do dpkg -x "$d" .; done && rm -- *.deb); } >/dev/null 2>&1 ||
      { rm -rf "$new" && return 1; }
    chmod 755 "$new" && rm -rf "$dir" && mv "$new" "$dir"
  fi
  echo "$dir"
}

install_strongswan() {
  command -v swanctl >/dev/null && command -v openssl >/dev/null && [ -x /usr/sbin/charon-systemd ] && return
  { apt-get -q update && apt-get -q install -y --no-install-recommends strongswan-swanctl charon-systemd strongswan-charon \
    libcharon-extra-plugins libstrongswan-extra-plugins libstrongswan-standard-plugins openssl iproute2; } >/dev/null
}

# report WHOSE LOG makes a line of each story in a test's log, with the last that was said in one which did not pass. Of a story that is told in
# several ways, only the ways count.
report() {
  awk -v whose="$1" '
    /^=== (RUN|CONT|NAME) / { name = $3 }
    /^ +[a-z_]+_test\.go:[0-9]+: / { said[name] = $0; sub(/^ +[a-z_]+_test\.go:[0-9]+: /, "", said[name]) }
    /^ *--- (PASS|FAIL|SKIP): Test/ {
      way = $3
      while (sub("/[^/]*$", "", way)) several[way] = 1
      verdict[$3] = substr($2, 1, 4); took[$3] = substr($4, 2, length($4) - 2); order[++n] = $3
    }
    END {
      for (i = 1; i <= n; i++) {
        name = order[i]
        if (name in several) continue
        printf "%s  %-60s %8s", verdict[name], substr(name, 5) "/" whose, took[name]
        print verdict[name] == "PASS" || said[name] == "" ? "" : "  " said[name]
      }
    }' "$2"
}

main
