//go:build interop && linux

package ipsec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/lab"
)

// pluto is libreswan's daemon on a host, with the kernel's ESP. Debian's package of it excludes strongSwan's, so it runs from a folder.
type pluto struct {
	w    *world
	host *lab.Host
	dir  string // as the host sees it
}

const plutoConf = `config setup
    logfile=%[1]s/pluto.log
conn t
    ikev2=insist
    left=%[2]s
    leftid=@theirs.lab
    leftsubnet=%[3]s
    right=%[4]s
    rightid=@ours.lab
    rightsubnet=%[5]s
    %[9]s
    ike=%[6]s
    esp=%[7]s
    rightikeport=4500
    encapsulation=yes
    leftupdown=%%disabled
    %[8]s
    auto=add
`

// newPluto configures and starts it. /usr/libexec/ipsec, where it looks for its programs, is its own.
func newPluto(w *world, h *lab.Host, v variant) *pluto {
	w.t.Helper()
	p := &pluto{w: w, host: h, dir: "/run/pluto"}
	for _, sub := range []string{"nss", "d", "run"} {
		w.must(os.MkdirAll(h.Path(filepath.Join(p.dir, sub)), 0o755))
	}
	right := w.from()
	w.must(os.WriteFile(h.Path(p.dir+"/ipsec.conf"), fmt.Appendf(nil, plutoConf, p.dir, w.at(h), theirInside, right, ourInside, v.ike, v.esp, v.connection, v.plutoProof()), 0o600))
	w.must(os.WriteFile(h.Path(p.dir+"/secrets"), fmt.Appendf(nil, "@theirs.lab @ours.lab : PSK \"%s\"\n", v.theirSecret()), 0o600))
	w.must(h.Do(p.address))
	p.learn(v)
	c := h.Command(context.Background(), "unshare", "-m", "sh", "-c", `mount -t tmpfs tmpfs /usr/libexec && cp -r "$0/usr/libexec/ipsec" /usr/libexec/ && exec /usr/libexec/ipsec/pluto "$@"`,
		*libreswan, "--config", p.dir+"/ipsec.conf", "--nssdir", p.dir+"/nss", "--secretsfile", p.dir+"/secrets", "--rundir", p.dir+"/run", "--ipsecdir", p.dir+"/d",
		"--logfile", p.dir+"/pluto.log", "--nofork")
	c.Env = append(c.Env, p.env())
	h.StartCmd(c)
	w.until("pluto listens", func() bool {
		_, err := p.run(*libreswan+"/usr/libexec/ipsec/addconn", "--config", p.dir+"/ipsec.conf", "--ctlsocket", p.dir+"/run/pluto.ctl", "t")
		return err == nil
	})
	p.whack("--listen")
	return p
}

// plutoProof is how both prove who they are, in its words.
func (v variant) plutoProof() string {
	method, _, _ := strings.Cut(v.kind, "-")
	switch method {
	case "":
		return "authby=secret"
	case "rsa":
		method = "rsasig"
	}
	return "authby=" + method + "\n    leftcert=theirs\n    leftsendcert=always\n    leftrsasigkey=%cert\n    rightrsasigkey=%cert\n    rightca=%any"
}

// learn makes its database of certificates and keys.
func (p *pluto) learn(v variant) {
	p.w.t.Helper()
	nss, tools := "sql:"+p.dir+"/nss", *libreswan+"/usr/bin/"
	p.does(tools+"certutil", "-N", "-d", nss, "--empty-password")
	if v.kind == "" {
		return
	}
	p.does("openssl", "pkcs12", "-export", "-name", "theirs", "-in", theirCert, "-inkey", theirKey, "-out", p.dir+"/theirs.p12", "-passout", "pass:laboratory")
	p.does(tools+"pk12util", "-i", p.dir+"/theirs.p12", "-d", nss, "-W", "laboratory")
	p.does(tools+"certutil", "-A", "-n", "ca", "-t", "CT,C,C", "-i", theirCA, "-d", nss)
	if v.revoked == "ours" {
		p.does("openssl", "crl", "-in", theirList, "-outform", "DER", "-out", p.dir+"/list.der")
		p.does(tools+"crlutil", "-I", "-i", p.dir+"/list.der", "-d", nss)
	}
}

// address gives the host its address inside, and packets from there a way to ours.
func (p *pluto) address() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(theirInside)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(lo, a); err != nil {
		return err
	}
	return p.w.leadBack()
}

// leadBack gives packets from the host in whose place it is called a way to our traffic, which is then its policies' to take.
func (w *world) leadBack() error {
	routes, err := netlink.RouteGet(w.at(w.ours).AsSlice())
	if err != nil || len(routes) == 0 {
		return fmt.Errorf("find the way to ours: %w", err)
	}
	to, err1 := netlink.ParseIPNet(ourInside)
	from, err2 := netlink.ParseAddr(theirInside)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{Dst: to, LinkIndex: routes[0].LinkIndex, Gw: routes[0].Gw, Src: from.IP})
}

func (p *pluto) env() string {
	lib := *libreswan + "/usr/lib/x86_64-linux-gnu"
	return "LD_LIBRARY_PATH=" + lib + ":" + lib + "/nss:" + lib + "/nspr"
}

func (p *pluto) run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(p.w.ctx, 15*time.Second)
	defer cancel()
	c := p.host.Command(ctx, name, args...)
	c.Env = append(c.Env, p.env())
	out, err := c.CombinedOutput()
	return string(out), err
}

// does is run for what must succeed.
func (p *pluto) does(name string, args ...string) string {
	p.w.t.Helper()
	out, err := p.run(name, args...)
	if err != nil {
		log, _ := os.ReadFile(p.host.Path(p.dir + "/pluto.log"))
		p.w.t.Fatalf("%s %s: %v: %s\n%s", filepath.Base(name), strings.Join(args, " "), err, out, log)
	}
	return out
}

func (p *pluto) whack(args ...string) string {
	p.w.t.Helper()
	return p.does(*libreswan+"/usr/libexec/ipsec/whack", append([]string{"--rundir", p.dir + "/run"}, args...)...)
}

// up is how many Child SAs it has.
func (p *pluto) up() int { return strings.Count(p.whack("--trafficstatus"), "ESP") }

func (p *pluto) says(word string) bool {
	log, err := os.ReadFile(p.host.Path(p.dir + "/pluto.log"))
	p.w.must(err)
	return strings.Contains(string(log), word)
}

// meetLibreswan tells a story with libreswan.
func meetLibreswan(t *testing.T, v variant, story func(*world, *pluto)) {
	t.Helper()
	switch {
	case !*kernel:
		t.Skip("libreswan has no ESP of its own: it is met by the kernel's")
	case *libreswan == "":
		t.Skip("Debian's libreswan could not be fetched")
	}
	in(t, v, func(w *world, there *lab.Host) {
		p := newPluto(w, there, v)
		w.begin(v, there)
		defer func() {
			w.show("pluto", there.Path(p.dir+"/pluto.log"))
			w.show("ours", w.node.LogFile())
		}()
		story(w, p)
	})
}

// libreswans are what both have, in its words.
var libreswans = []struct {
	name string
	variant
}{
	{"aes256gcm", variant{ike: "aes_gcm256-sha2_384;dh31", esp: "aes_gcm256;dh31"}},
	{"aes128gcm", variant{ike: "aes_gcm128-sha2_256;dh19", esp: "aes_gcm128"}},
	{"chacha20poly1305", variant{ike: "chacha20_poly1305-sha2_256;dh20", esp: "chacha20_poly1305"}},
	{"aes256-sha256", variant{ike: "aes256-sha2_256;dh14", esp: "aes256-sha2_256"}},
	{"aes256gcm-no-esn", variant{ike: "aes_gcm256-sha2_512;dh21", esp: "aes_gcm256", connection: "esn=no"}},
	{"aes256gcm-esn", variant{ike: "aes_gcm256-sha2_384;dh31", esp: "aes_gcm256", connection: "esn=yes"}},
}

func TestLibreswanAndPacketsPass(t *testing.T) {
	for _, s := range libreswans {
		for _, first := range []string{"we", "they"} {
			t.Run(s.name+"/"+first, func(t *testing.T) {
				meetLibreswan(t, s.variant, func(w *world, p *pluto) {
					if first == "they" {
						p.whack("--name", "t", "--initiate")
					}
					w.reach()
					w.ping(50, 5*time.Millisecond)
					if p.up() != 1 {
						t.Errorf("they have %d pairs", p.up())
					}
				})
			})
		}
	}
}

func TestLibreswanReplacesKeysUnderTraffic(t *testing.T) {
	meetLibreswan(t, libreswans[0].variant, func(w *world, p *pluto) {
		w.reach()
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.ping(500, 10*time.Millisecond)
		}()
		p.whack("--rekey-ipsec", "--name", "t")
		p.whack("--rekey-ike", "--name", "t")
		p.whack("--rekey-ipsec", "--name", "t")
		<-done
		w.until("one pair is left", func() bool { return p.up() == 1 })
	})
}

func TestLibreswanAndWeReplaceKeysUnderTraffic(t *testing.T) {
	v := libreswans[0].variant
	v.soft = 2 * time.Second
	meetLibreswan(t, v, func(w *world, p *pluto) {
		w.reach()
		w.pingAcross(700, 10*time.Millisecond)
		w.until("one pair is left", func() bool { return p.up() == 1 })
	})
}

func TestLibreswanHangsUp(t *testing.T) {
	meetLibreswan(t, libreswans[0].variant, func(w *world, p *pluto) {
		w.reach()
		before := w.asks().Peers[0].SessionSince
		p.whack("--name", "t", "--terminate")
		w.until("our node has forgotten the pair, or called again already", func() bool { return w.asks().Peers[0].SessionSince.Sub(before).Abs() > time.Millisecond })
	})
}

func TestLibreswanMeetsUsBehindNAT(t *testing.T) {
	v := libreswans[0].variant
	v.place.ours = "port"
	meetLibreswan(t, v, func(w *world, p *pluto) {
		w.reach()
		w.ping(50, 5*time.Millisecond)
	})
}

// Certificates of the kinds of keys that it knows, and who begins.
func TestLibreswanBelievesCertificates(t *testing.T) {
	for _, kind := range []string{"ecdsa-p256", "ecdsa-p384", "rsa-2048"} {
		for _, first := range []string{"we", "they"} {
			t.Run(kind+"/"+first, func(t *testing.T) {
				v := libreswans[0].variant
				v.kind = kind
				meetLibreswan(t, v, func(w *world, p *pluto) {
					if first == "they" {
						p.whack("--name", "t", "--initiate")
					}
					w.reach()
					w.ping(20, 5*time.Millisecond)
				})
			})
		}
	}
}

// A certificate that its authority has taken back, or one of another authority.
func TestLibreswanDoesNotBelieveCertificates(t *testing.T) {
	for name, change := range map[string]func(*variant){
		"ours is revoked":      func(v *variant) { v.revoked = "ours" },
		"theirs is revoked":    func(v *variant) { v.revoked = "theirs" },
		"of another authority": func(v *variant) { v.wrong = true },
	} {
		t.Run(name, func(t *testing.T) {
			v := libreswans[0].variant
			v.kind = "ecdsa-p256"
			change(&v)
			meetLibreswan(t, v, func(w *world, p *pluto) { p.nothing() })
		})
	}
}

// nothing checks that neither side gets through to the other.
func (p *pluto) nothing() {
	p.w.t.Helper()
	if r := p.w.tryPing(20, 20*time.Millisecond, time.Second); r.Received != 0 {
		p.w.t.Errorf("%d pings have come back", r.Received)
	}
	_, _ = p.run(*libreswan+"/usr/libexec/ipsec/whack", "--rundir", p.dir+"/run", "--asynchronous", "--name", "t", "--initiate")
	if r := p.w.tryPing(20, 20*time.Millisecond, time.Second); r.Received != 0 || p.up() != 0 {
		p.w.t.Errorf("%d pings have come back, and they have %d pairs", r.Received, p.up())
	}
}

func TestLibreswanWithAnotherSecret(t *testing.T) {
	v := libreswans[0].variant
	v.wrong = true
	meetLibreswan(t, v, func(w *world, p *pluto) { p.nothing() })
}
