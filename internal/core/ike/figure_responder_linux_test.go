//go:build !race

package ike

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/gob"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/core/ike/pki"
	"github.com/cvlan/cvlan/internal/sys/sched"
)

// The figure of a responder: what a meeting costs the process of the one who is called, all of it, system calls and garbage collection
// included. The one who calls is another process, and they talk over UDP. Both have certificates of P-256 from one authority, which each
// verifies; the key exchanges are X25519 and ML-KEM-768.

const (
	meetings   = 200 // a round
	rounds     = 3   // of which the cheapest counts: neighbours only make it dearer
	callerEnv  = "CVLAN_TEST_IKE_CALLER"
	warmUp     = 20
	forOneCall = 10 * time.Second
)

// calling is what the caller is told: whom to call, and what proves both.
type calling struct {
	To   netip.AddrPort
	Root []byte // DER
	Cert []byte
	Key  []byte // PKCS #8
}

// spentByUs is the processor's time that this process has used.
func spentByUs() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // it fails for numbers that are none
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// desk is a machine with a socket of its own, which meets whoever has a certificate of the authority.
type desk struct {
	t      testing.TB
	m      *Machine
	out    Out
	conn   *net.UDPConn
	at     netip.AddrPort
	peer   Peer
	store  pki.Store
	next   uint32
	up     int
	begun  time.Time
	buffer [4096]byte
}

func newDesk(t testing.TB, name string, root *x509.Certificate, cert []byte, key *ecdsa.PrivateKey) *desk {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	d := &desk{t: t, conn: conn, at: conn.LocalAddr().(*net.UDPAddr).AddrPort(), next: 0x30000000, begun: time.Now()}
	d.store.Roots = []*x509.Certificate{root}
	d.peer = Peer{
		Name: "other", Local: fqdn(name), Credential: crypt.Credential{Key: key}, Certificates: []msg.Cert{{Encoding: msg.CertX509, Data: cert}},
		Child: &Child{Ours: everything(), Theirs: everything()},
	}
	profile, err := crypt.NewProfile(crypt.Modern)
	if err != nil {
		t.Fatal(err)
	}
	if d.m, err = New(Config{Profile: profile, Directory: d, SPIs: d}, rand.Reader); err != nil {
		t.Fatal(err)
	}
	return d
}

// Peer implements Directory.
func (d *desk) Peer(msg.Identity, msg.Identity) (Peer, bool) { return d.peer, true }

// Evidence implements Directory.
func (d *desk) Evidence(_ Peer, remote msg.Identity, certs []msg.Cert) (crypt.Evidence, error) {
	public, err := d.store.Key(remote, certs, testEpoch.AddDate(0, 6, 0))
	return crypt.Evidence{Public: public}, err
}

// Reserve implements SPIs.
func (d *desk) Reserve() (uint32, error) { d.next++; return d.next, nil }

// Release implements SPIs.
func (d *desk) Release(uint32) {}

func (d *desk) now() mono.Time { return mono.Time(1 + time.Since(d.begun)) }

// flush sends what the machine has said.
func (d *desk) flush() {
	for _, e := range d.out.Events {
		switch e.Kind {
		case EventUp:
			d.up++
		case EventRefused, EventFault:
			d.t.Fatalf("%s: %s %s", e.Kind, e.Reason, e.Detail)
		}
	}
	for _, tr := range d.out.Transmits {
		if _, err := d.conn.WriteToUDPAddrPort(tr.Data, tr.Path.Remote); err != nil {
			d.t.Fatal(err)
		}
	}
	d.out.Reset()
}

// hear takes one datagram.
func (d *desk) hear() {
	_ = d.conn.SetReadDeadline(time.Now().Add(forOneCall))
	n, from, err := d.conn.ReadFromUDPAddrPort(d.buffer[:])
	if err != nil {
		d.t.Fatal(err)
	}
	d.m.Datagram(d.now(), Path{Local: d.at, Remote: from}, d.buffer[:n], &d.out)
	d.flush()
}

// TestCaller is the other process of TestFigureOfResponder, and nothing by itself.
func TestCaller(t *testing.T) {
	if os.Getenv(callerEnv) == "" {
		t.Skip("it is run by TestFigureOfResponder")
	}
	var c calling
	if err := gob.NewDecoder(os.Stdin).Decode(&c); err != nil {
		t.Fatal(err)
	}
	root, err1 := x509.ParseCertificate(c.Root)
	key, err2 := x509.ParsePKCS8PrivateKey(c.Key)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	d := newDesk(t, "a.example", root, c.Cert, key.(*ecdsa.PrivateKey))
	d.peer.Remote = fqdn("b.example")
	for n := 1; n <= warmUp+rounds*meetings; n++ {
		id, err := d.m.Initiate(d.now(), d.peer, Path{Local: d.at, Remote: c.To}, &d.out)
		if err != nil {
			t.Fatal(err)
		}
		for d.flush(); d.up < n; {
			d.hear()
		}
		if err := d.m.Terminate(d.now(), id, &d.out); err != nil {
			t.Fatal(err)
		}
		d.out.Reset() // the responder keeps what it has: what is measured is to meet
	}
}

func TestFigureOfResponder(t *testing.T) {
	ca := newAuthority()
	key, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	private, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	until := testEpoch.AddDate(1, 0, 0)
	d := newDesk(t, "b.example", ca.Cert, ca.issue("b.example", key.Public(), until).Data, key)
	wait := d.call(calling{To: d.at, Root: ca.Cert.Raw, Cert: ca.issue("a.example", key.Public(), until).Data, Key: private})
	for d.up < warmUp {
		d.hear()
	}
	if err := errors.Join(sched.Batch(), sched.Slack(time.Millisecond)); err != nil { // as cvland does
		t.Log(err)
	}
	best := time.Hour
	for round := range rounds {
		before := spentByUs()
		for d.up < warmUp+(round+1)*meetings {
			d.hear()
		}
		best = min(best, spentByUs()-before)
	}
	wait()
	t.Logf("FIGURE ike_responder_ms %.3f", best.Seconds()*1000/meetings)
}

// call starts the other process; what is returned waits for its end.
func (d *desk) call(c calling) (wait func()) {
	d.t.Helper()
	var told bytes.Buffer
	if err := gob.NewEncoder(&told).Encode(c); err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestCaller$")
	cmd.Env = append(os.Environ(), callerEnv+"=1")
	cmd.Stdin = &told
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	return func() {
		if err := cmd.Wait(); err != nil {
			d.t.Fatal(fmt.Errorf("the caller: %w: %s", err, &said))
		}
	}
}
