#!/bin/sh
# pictures.sh BIN DIR: photographs the terminal interface of the invented office as DIR/tui-*.svg. Needs tmux, and cvlan in BIN.
set -eu
bin=$(realpath "$1") out=$(realpath "$2")
cd "$(dirname "$0")/../../.."
t=$(mktemp -d)
go build -o "$t/" ./internal/lab/showcase ./internal/lab/termsvg
"$t/showcase" -socket "$t/s" >/dev/null &
show=$!
trap 'kill $show; rm -rf "$t"' EXIT

# shot NAME COLUMNS ROWS SECONDS KEY...
shot() {
	name=$1 wide=$2 high=$3 wait=$4
	shift 4
	tmux -S "$t/tmux-$name" -f /dev/null new-session -d -x "$wide" -y "$high" "TERM=tmux-256color COLORTERM=truecolor XDG_CONFIG_HOME=$t $bin/cvlan tui --socket $t/s"
	tmux -S "$t/tmux-$name" set -g status off
	sleep 2
	for k in "$@"; do tmux -S "$t/tmux-$name" send-keys "$k"; sleep 0.2; done
	sleep "$wait"
	tmux -S "$t/tmux-$name" capture-pane -N -e -p | "$t/termsvg" ${LIGHT:+-light} >"$out/tui-$name.svg"
	tmux -S "$t/tmux-$name" kill-server
}

shot peers 150 36 60 Down Down Down Down Down
shot ping 130 34 45 / d b - 1 Enter Enter p
shot denials 110 16 3 3
shot exits 110 24 3 5 Down x
