//go:build interop && linux

package ipsec

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/load"
)

var (
	bin       = flag.String("bin", "", "folder of the built programs, absolute, with tools/ikenode and tools/loadgen")
	libreswan = flag.String("libreswan", "", "folder into which Debian's libreswan was unpacked, absolute; it is met too, by the kernel's ESP")
	kernel    = flag.Bool("kernel", false, "their ESP is the kernel's, not strongSwan's own")
)

func TestMain(m *testing.M) { os.Exit(lab.TestMain(m)) }

const (
	ourInside, theirInside = "10.1.0.1/32", "10.2.0.1/32"
	service                = "10.2.0.1:5201"
	secret                 = "a secret of the laboratory"
	// soon is how long something may take that should happen at once, on a machine that other stories share.
	soon = 20 * time.Second
)

// variant is one way to tell a story.
type variant struct {
	ike, esp string // proposals in strongSwan's words
	soft     time.Duration
	profile  string // of ours; "": native-clients
	esn      bool   // extended sequence numbers
	wrong    bool   // they have another secret, or another authority
	kind     string // of the keys of certificates; "": a secret that both share
	revoked  string // whose certificate the other's list has: "ours" or "theirs"
	critical string // whose certificate has a critical extension that nobody knows
	company  bool   // our node's certificate is a controller's, whose authority a company has certified; they know only the company
	numbers  bool   // both are known by their addresses, not by names
	anybody  bool   // they do not say whom they would like to meet

	connection, child, charon, pools string   // more of strongSwan's settings
	node                             []string // and of ours
	place                            place
	six                              bool // they meet over IPv6
}

// routed is a router that translates nothing.
const routed = "none"

// place is where both computers stand; the zero place is the open internet.
type place struct {
	ours, theirs string // the routers before them; "": none. Two routers one behind the other have a space between their names
}

// stand makes a computer behind its routers.
func (w *world) stand(name, routers string) *lab.Host {
	if routers == "" {
		return w.lab.Public(name)
	}
	var site *lab.Site
	for i, spec := range strings.Fields(routers) {
		if site == nil {
			site = w.lab.Site(fmt.Sprint("s", i, name), spec)
		} else {
			site = site.Site(fmt.Sprint("s", i, name), spec)
		}
	}
	if routers == routed {
		w.home = site
	}
	return site.Host(name)
}

// at is the address that a story uses of a computer.
func (w *world) at(h *lab.Host) netip.Addr {
	if w.six {
		return h.Addr6()
	}
	return h.Addr()
}

// here is where they believe themselves to be: anywhere, if one of both may go elsewhere.
func (w *world) here(h *lab.Host) string {
	if w.home != nil {
		return "%any"
	}
	return w.at(h).String()
}

// from is where they believe us to be, and where else they take us.
func (w *world) from() string {
	switch {
	case w.home != nil:
		return w.at(w.ours).String() + ", 0.0.0.0/0"
	case w.hidden:
		return "%any"
	}
	return w.at(w.ours).String()
}

func (v variant) theirSecret() string {
	if v.wrong {
		return "another secret altogether"
	}
	return secret
}

// method is how both prove who they are, in strongSwan's word.
func (v variant) method() string {
	if v.kind != "" {
		return "pubkey"
	}
	return "psk"
}

// modern is what both like best.
var modern = variant{ike: "aes256gcm16-prfsha384-x25519", esp: "aes256gcm16-x25519"}

// world is a laboratory with two computers.
type world struct {
	t        *testing.T
	ctx      context.Context
	lab      *lab.Lab
	ours     *lab.Host
	there    *lab.Host // where they are
	node     *lab.Proc
	theirs   *swan
	us, them string // who both are
	six      bool
	hidden   bool      // we are behind a NAT
	home     *lab.Site // of who goes elsewhere, if one does
}

// meet tells a story with strongSwan.
func meet(t *testing.T, v variant, story func(*world)) {
	t.Helper()
	if why := missing(); why != "" {
		t.Skip(why)
	}
	if v.esn && !*kernel {
		t.Skip("kernel-libipsec has no extended sequence numbers; the kernel's ESP, which has them, is met below")
	}
	in(t, v, func(w *world, there *lab.Host) {
		w.theirs = newSwan(w, there, v)
		w.begin(v, there)
		defer func() {
			w.show("charon", there.Path(w.theirs.dir+"/charon.log"))
			w.show("ours", w.node.LogFile())
		}()
		story(w)
	})
}

// show prints a log if the story has failed.
func (w *world) show(whose, file string) {
	if log, err := os.ReadFile(file); w.t.Failed() && err == nil {
		fmt.Printf("%s, %s:\n%s\n", w.t.Name(), whose, log)
	}
}

// in builds a laboratory.
func in(t *testing.T, v variant, tell func(w *world, there *lab.Host)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	w := &world{t: t, ctx: ctx, lab: lab.New(t), six: v.six, hidden: v.place.ours != ""}
	w.ours = w.stand("ours", v.place.ours)
	there := w.stand("theirs", v.place.theirs)
	w.us, w.them = "ours.lab", "theirs.lab"
	if v.numbers {
		w.us, w.them = w.at(w.ours).String(), w.at(there).String()
	}
	switch {
	case v.company:
		w.us = w.certifyByCompany(there, v.kind)
	case v.kind != "":
		w.certify(there, v)
	}
	tell(w, there)
}

// begin starts our node, and on the other side what answers pings.
func (w *world) begin(v variant, there *lab.Host) {
	w.t.Helper()
	there.Start(w.tool("loadgen"), "serve", "-listen", ":5201")
	w.there = there
	w.start(v)
}

// start starts our node, or starts it anew.
func (w *world) start(v variant) {
	w.t.Helper()
	self := w.us
	if v.company {
		self = "subject"
	}
	args := []string{"-self", self, "-peer", w.them, "-at", netip.AddrPortFrom(w.at(w.there), 4500).String(), "-ours", ourInside, "-theirs", theirInside, "-soft", v.soft.String()}
	if v.profile != "" {
		args = append(args, "-profile", v.profile)
	}
	if v.kind == "" {
		args = append(args, "-secret", secret)
	} else {
		args = append(args, "-cert", "/run/node/cert", "-key", "/run/node/key", "-ca", "/run/node/ca")
	}
	if v.revoked == "theirs" {
		args = append(args, "-crl", "/run/node/crl")
	}
	args = append(args, v.node...)
	w.node = w.ours.Start(w.tool("ikenode"), args...)
	begun, stop := context.WithTimeout(w.ctx, soon)
	defer stop()
	w.must(w.node.WaitLog(begun, "ready"))
}

// Files of theirs.
const (
	theirCert, theirKey = "/run/theirs/cert.pem", "/run/theirs/key.pem"
	theirCA, theirList  = "/run/theirs/ca.pem", "/run/theirs/list.pem"
	theirLink           = "/run/theirs/link.pem" // between the two
)

// certify gives both certificates of one authority, or of two.
func (w *world) certify(there *lab.Host, v variant) {
	w.t.Helper()
	a := newAuthority(w.t, v.kind)
	ours := a.issue(w.us, v.critical == "ours", w.ours.Path("/run/node/cert"), w.ours.Path("/run/node/key"), w.ours.Path("/run/node/ca"))
	if v.wrong {
		a = newAuthority(w.t, v.kind)
	}
	theirs := a.issue(w.them, v.critical == "theirs", there.Path(theirCert), there.Path(theirKey), there.Path(theirCA))
	switch v.revoked {
	case "ours":
		a.revoke(ours, there.Path(theirList))
	case "theirs":
		a.revoke(theirs, w.ours.Path("/run/node/crl"))
	}
}

func (w *world) tool(name string) string { return filepath.Join(*bin, "tools", name) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// until waits for something.
func (w *world) until(what string, f func() bool) {
	w.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(soon); time.Now().Before(end); <-tick.C {
		if f() {
			return
		}
	}
	w.t.Fatalf("it does not happen that %s", what)
}

// reach has pings go to them until one comes back.
func (w *world) reach() {
	w.t.Helper()
	w.until("a ping comes back", func() bool { return w.tryPing(1, time.Millisecond, time.Second).Received == 1 })
}

// ping has n pings go to them, of which all must come back.
func (w *world) ping(n int, gap time.Duration) {
	w.t.Helper()
	if r := w.tryPing(n, gap, soon); r.Received != r.Sent || r.Sent != n {
		w.t.Fatalf("of %d pings %d have come back; our drops: %v; theirs:\n%s", r.Sent, r.Received, w.asks().Drops, w.theirSAs())
	}
}

// pingAcross is ping while we have new SAs made. A kernel sends by them before the answer has left that makes them ours, so that some packets may come
// too early, and the more the slower its machine is. No others may be lost.
func (w *world) pingAcross(n int, gap time.Duration) {
	w.t.Helper()
	r, drops := w.tryPing(n, gap, soon), w.asks().Drops
	if lost := r.Sent - r.Received; lost > n/10 || uint64(lost) > drops["unknown_index"] {
		w.t.Errorf("of %d pings %d have come back; our drops: %v; theirs:\n%s", r.Sent, r.Received, drops, w.theirSAs())
	}
}

// theirSAs is what they say of theirs.
func (w *world) theirSAs() string {
	if w.theirs == nil {
		return "(see pluto's log)"
	}
	return w.theirs.sas()
}

// tryPing waits for those that have not come back, counted from when all should have been sent.
func (w *world) tryPing(n int, gap, wait time.Duration) (r load.RoundTrips) {
	w.t.Helper()
	out, err := w.ours.Run(w.ctx, w.tool("loadgen"), "ping", "-to", service, "-count", fmt.Sprint(n), "-gap", gap.String(), "-wait", wait.String())
	w.must(err)
	w.must(json.Unmarshal([]byte(out), &r))
	return r
}

// transfer has a TCP stream go to them.
func (w *world) transfer() (r load.Throughput) {
	w.t.Helper()
	out, err := w.ours.Run(w.ctx, w.tool("loadgen"), "tcp", "-to", service, "-streams", "1", "-for", "2s")
	w.must(err)
	w.must(json.Unmarshal([]byte(out), &r))
	return r
}

// state is what our node says of itself.
type state struct {
	Peers []struct {
		SessionSince time.Time
		RxPackets    uint64
		Attempting   bool
		Drops        map[string]uint64
	}
	Drops map[string]uint64
	SAs   int // of IKE
}

// said is all that our node has said.
func (w *world) said() string {
	w.t.Helper()
	log, err := os.ReadFile(w.node.LogFile())
	w.must(err)
	return string(log)
}

// asks has our node say it.
func (w *world) asks() (s state) {
	w.t.Helper()
	before := len(w.said())
	w.must(w.node.Signal(syscall.SIGUSR1))
	w.until("our node answers", func() bool {
		for line := range strings.Lines(w.said()[before:]) {
			if json.Unmarshal([]byte(line), &s) == nil {
				return true
			}
		}
		return false
	})
	return s
}
