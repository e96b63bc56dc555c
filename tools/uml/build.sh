#!/usr/bin/env bash
# build.sh: prints the path of a User-Mode Linux kernel with WireGuard, built from Debian's source package if there is none yet
# (four to six minutes on two quiet cores, 1.5 GB of disk meanwhile). Progress goes to standard error.
#
#   CVLAN_UML       a ready kernel: it is used, nothing is built
#   CVLAN_UML_TIME  seconds that a build may take, beyond which it fails (an hour); the next goes on where it ended
#
# The result lies in ${XDG_CACHE_HOME:-~/.cache}/cvlan/uml-HASH, a hash of the package's name, of linux.config and of xstate.c.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

package=linux-source-6.12
recipe=(linux.config xstate.c)

main() {
  if [ -n "${CVLAN_UML:-}" ]; then
    [ -x "$CVLAN_UML" ] || die "CVLAN_UML names $CVLAN_UML, which is no program; unset it to have one built"
    realpath "$CVLAN_UML"
    return
  fi
  [ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || die "a kernel is built on Linux with x86-64 only, this is $(uname -sm)"
  local cache kernel
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/cvlan/uml-$(cat "${recipe[@]}" <(echo "$package") | sha256sum | cut -c1-16)
  kernel=$cache/linux
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9 # of two that build at once, one waits and finds the result
  [ -x "$kernel" ] || build "$cache" >&2
  echo "$kernel"
}

# build keeps what it has done where time runs out, and goes on from there.
build() {
  local work=$1/build
  install_packages
  if [ ! -e "$work/unpacked" ]; then
    echo "build.sh: building User-Mode Linux; this takes some minutes"
    rm -rf "$work"
    mkdir "$work"
    unpack "$work"
    touch "$work/unpacked"
  fi
  configure "$work/source"
  compile "$work/source" || die "the kernel does not build, or not in ${CVLAN_UML_TIME:-3600} s; the last lines are above, the next attempt goes on from here"
  gcc -O2 -shared -fPIC -o "$1/xstate.so" xstate.c
  strip -o "$1/linux.part" "$work/source/linux"
  mv "$1/linux.part" "$1/linux"
  rm -rf "$work"
}

install_packages() {
  local need=()
  for p in bc bison flex gcc libc6-dev make xz-utils; do
    dpkg -s "$p" >/dev/null 2>&1 || need+=("$p")
  done
  apt-get -q update >/dev/null
  [ ${#need[@]} -eq 0 ] || apt-get -q install -y --no-install-recommends "${need[@]}" >/dev/null
}

# unpack takes the package apart without installing its 150 MB, and leaves out most of what this kernel has not, to save the disk.
unpack() {
  # apt warns that its own user may not write here.
  (cd "$1" && apt-get -qq download "$package" 2>/dev/null && dpkg-deb -x "$package"_*.deb package)
  mkdir "$1/source"
  tar -xJf "$1/package/usr/src/$package.tar.xz" -C "$1/source" --strip-components=1 --anchored \
    --exclude="$package/arch/[a-tvwyz]*/*.[chS]" --exclude="$package/arch/*.dts*" --exclude="$package/Documentation/*.*" \
    --exclude="$package/sound/*.[ch]" \
    --exclude="$package/drivers/gpu/*.[ch]" --exclude="$package/drivers/media/*.[ch]" \
    --exclude="$package/drivers/net/ethernet/*.[ch]" --exclude="$package/drivers/net/wireless/*.[ch]" \
    --exclude="$package/tools/testing/*"
  rm -r "$1/package"
}

# configure fails where an option of ours did not survive, because what it needs is missing.
configure() {
  make -s -C "$1" ARCH=um KCONFIG_ALLCONFIG="$PWD/linux.config" allnoconfig >/dev/null
  local lost
  mapfile -t lost < <(grep -o '^CONFIG_[A-Z0-9_]*=y' linux.config | grep -vxFf "$1/.config")
  [ ${#lost[@]} -eq 0 ] || die "the kernel has dropped ${lost[*]}; see linux.config"
}

compile() {
  local left=$((${CVLAN_UML_TIME:-3600} - SECONDS))
  [ "$left" -gt 0 ] || return 1
  timeout "$left" make -s -C "$1" ARCH=um -j"$(nproc)" linux >"$1/log" 2>&1 || { tail -20 "$1/log"; return 1; }
}

die() { echo "build.sh: $*" >&2; exit 1; }

{ main; exit; } # read as a whole, so that the file may change meanwhile
