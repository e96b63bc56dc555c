#!/bin/bash
# panel.sh BIN DIR: photographs the tray of the invented office in a panel as DIR/tray-*.png. Needs cvlan-tray in BIN, and: xvfb dbus dbus-x11 openbox
# xfce4-panel xfconf adwaita-icon-theme gnome-themes-extra fonts-dejavu-core xdotool scrot.
set -euo pipefail
bin=$(realpath "$1") out=$(realpath "$2")
cd "$(dirname "$0")/../../.."
t=$(mktemp -d) show= screen=
trap 'kill $show $screen 2>/dev/null || true; rm -rf "$t"' EXIT
go build -o "$t/" ./internal/lab/showcase
export HOME=$t/home XDG_RUNTIME_DIR=$t/run NO_AT_BRIDGE=1
unset DBUS_SESSION_BUS_ADDRESS WAYLAND_DISPLAY
conf=$HOME/.config/xfce4/xfconf/xfce-perchannel-xml
mkdir -p "$XDG_RUNTIME_DIR" "$conf"
chmod 700 "$XDG_RUNTIME_DIR"
cat >"$conf/xfce4-panel.xml" <<'X'
<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="28"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator"><property name="expand" type="bool" value="true"/><property name="style" type="uint" value="0"/></property>
    <property name="plugin-2" type="string" value="systray"><property name="square-icons" type="bool" value="true"/></property>
  </property>
</channel>
X

# shot NAME WIDTHxHEIGHT THEME "FLAGS OF THE SHOWCASE" KEY...: opens the menu, presses the keys in it, and takes the picture.
shot() {
	name=$1 size=$2 theme=$3 flags=$4
	shift 4
	"$t/showcase" -socket "$t/s" $flags >/dev/null &
	show=$!
	mkfifo "$t/display"
	Xvfb -displayfd 3 -screen 0 "${size}x24" -nolisten tcp 3>"$t/display" 2>/dev/null &
	screen=$!
	read -r d <"$t/display"
	export DISPLAY=:$d GTK_THEME=$theme OUT=$out/tray-$name.png KEYS=$* WIDE=${size%x*} BIN=$bin SOCKET=$t/s
	dbus-run-session -- bash -c '
		openbox >/dev/null 2>&1 & wm=$!
		xfce4-panel --disable-wm-check >/dev/null 2>&1 & panel=$!
		has() { dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.kde.StatusNotifierWatcher 2>/dev/null | grep -q "boolean true"; }
		for _ in $(seq 100); do has && break; sleep .1; done
		"$BIN/cvlan-tray" --socket "$SOCKET" >/dev/null & tray=$!
		sleep 2
		xdotool mousemove $((WIDE - 14)) 14 click 1
		sleep 1
		for k in $KEYS; do xdotool key "$k"; sleep .4; done
		sleep .5
		scrot -o "$OUT"
		kill $tray $panel $wm
		wait' 2>/dev/null || true
	kill $show $screen
	wait $show $screen 2>/dev/null || true
	rm -f "$t/display" "$t/s"
}

shot menu 640x540 Adwaita:dark "" Down Down Down Right
shot exit 560x250 Adwaita:dark "-exit nas" Down Down Down Down Right
shot warning 900x430 Adwaita "-trouble" Down Right
