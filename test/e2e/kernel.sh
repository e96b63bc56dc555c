#!/usr/bin/env bash
# kernel.sh BIN: what needs a kernel with ESP and XFRM interfaces, in User-Mode Linux (tools/uml): the stories of BIN/tools/xfrm.test, and those
# of BIN/tools/e2e.test in which it carries IPsec for daemons. A story that is skipped there has failed. Where the kernel cannot be built,
# none is told, and that is said.
set -euo pipefail
uml=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/../../tools/uml
bin=$(realpath "${1:?usage: kernel.sh BIN}")

if ! CVLAN_UML=$("$uml/build.sh" 2>"$bin/e2e-kernel.build"); then
  echo "SKIP  there is no User-Mode Linux:"
  tail -3 "$bin/e2e-kernel.build"
  exit 0
fi
export CVLAN_UML

tell() {
  "$@" -test.v 2>&1 | tee "$bin/e2e-kernel.log"
  ! grep -e '^ *--- SKIP' "$bin/e2e-kernel.log"
}
tell "$uml/run.sh" -t 200 "$bin/tools/xfrm.test"
CVLAN_UML_MEM=1500M tell "$uml/run.sh" -t 600 "$bin/tools/e2e.test" -test.run 'TheKernelCarries|KernelIsSwept' -bin "$bin"
