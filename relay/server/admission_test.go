package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/proto/relay"
)

// line is a connection on which nobody has registered yet.
type line struct {
	io.ReadWriter
	tls.ConnectionState
}

// lines makes such connections, by the name of their transport.
func (w *world) lines() map[string]func() line {
	return map[string]func() line{
		"TLS": func() line {
			conn, err := tls.Dial("tcp", w.addr, caller.ClientTLS())
			if err != nil {
				w.Fatal(err)
			}
			w.Cleanup(func() { conn.Close() })
			conn.SetDeadline(time.Now().Add(caller.Patience))
			return line{conn, conn.ConnectionState()}
		},
		"QUIC": func() line {
			u, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				w.Fatal(err)
			}
			return w.quicLine(u)
		},
	}
}

func (w *world) quicLine(u net.PacketConn) line {
	w.Helper()
	conn, str := w.connectQUIC(u)
	return line{str, conn.ConnectionState().TLS}
}

// answer is what the relay says to bytes on a line.
func (l line) answer(b []byte) (w relay.Welcome, err error) {
	if _, err := l.Write(b); err != nil {
		return w, err
	}
	f, err := caller.ReadFrame(l)
	if err != nil {
		return w, err
	}
	return relay.ReadWelcome(f)
}

// introduced is the frame of a certificate's holder over what a connection exports.
func (w *world) introduced(c tls.Certificate, export relay.Exporter) []byte {
	w.Helper()
	b, err := relay.Introduce(&c, export)
	if err != nil {
		w.Fatal(err)
	}
	return b
}

func TestWhoDoesNotProveToHoldItsCertificateIsNotAdmitted(t *testing.T) {
	w := start(t, nil)
	mine, other := w.certificate(1, 1), w.certificate(1, 2)
	stolen := tls.Certificate{Certificate: other.Certificate, PrivateKey: mine.PrivateKey}
	for transport, connect := range w.lines() {
		heard := connect()
		recorded := w.introduced(mine, heard.ExportKeyingMaterial)
		if welcome, err := heard.answer(recorded); err != nil || welcome.Reason != relay.NoReason {
			t.Fatal(transport, welcome.Reason, err)
		}
		for what, say := range map[string]func(line) []byte{
			"another's certificate":                 func(l line) []byte { return w.introduced(stolen, l.ExportKeyingMaterial) },
			"what was said on another connection":   func(line) []byte { return recorded },
			"what is signed for another connection": func(line) []byte { return w.introduced(mine, heard.ExportKeyingMaterial) },
			"what is signed under another label": func(l line) []byte {
				return w.introduced(mine, func(label string, context []byte, length int) ([]byte, error) {
					return l.ExportKeyingMaterial(label+"x", context, length)
				})
			},
			"a signature of which a bit is wrong": func(l line) []byte {
				b := w.introduced(mine, l.ExportKeyingMaterial)
				b[len(b)-1] ^= 1
				return b
			},
		} {
			l := connect()
			if welcome, err := l.answer(say(l)); err != nil || welcome.Reason != relay.NotPermitted || welcome.Client != 0 {
				t.Errorf("%s: %s: %v, %v", transport, what, welcome.Reason, err)
			}
		}
		if _, err := heard.Write(recorded); err != nil { // once more, on its own
			t.Error(transport, err)
		}
	}
	w.counts(forward.DropMalformed, 2)
	if st := w.server.Stats(); st.Clients != 1 {
		t.Errorf("%d clients, want the one that is who it says", st.Clients)
	}
}

func TestAVersionOfBeforeIsToldSoAndNonsenseEndsTheConnection(t *testing.T) {
	w := start(t, nil)
	for transport, connect := range w.lines() {
		framed := func(f []byte) []byte {
			b, err := relay.AppendStream(nil, f)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		before, after := framed(relay.Hello{Min: 1, Max: 1}.Append(nil)), framed(relay.Hello{Min: 3, Max: 9}.Append(nil))
		for _, hello := range [][]byte{before, after} {
			if welcome, err := connect().answer(hello); err != nil || welcome.Reason != relay.Unsupported || welcome.Version != relay.Version {
				t.Errorf("%s: %v, %v", transport, welcome.Reason, err)
			}
		}
		for what, b := range map[string][]byte{
			"no certificate":  framed(relay.Hello{Min: relay.Version, Max: relay.Version}.Append(nil)),
			"one of no bytes": framed(append(relay.Hello{Min: relay.Version, Max: relay.Version}.Append(nil), 0, 5, 1, 2)),
			"a long frame":    framed(append(relay.Hello{Min: relay.Version, Max: relay.Version}.Append(nil), make([]byte, relay.MaxRegister)...)),
		} {
			if welcome, err := connect().answer(b); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %s: %+v, %v", transport, what, welcome, err)
			}
		}
	}
}

// What is exported is the same for both ends, and new on each connection: a session that is resumed, or a version of TLS that may export the same twice, would
// take that away.
func TestEveryConnectionIsAFullHandshake(t *testing.T) {
	w := start(t, func(c *Config) { c.TLS.SessionTicketsDisabled = false })
	conf := caller.ClientTLS()
	conf.ClientSessionCache, conf.ServerName = tls.NewLRUClientSessionCache(4), "relay"
	var last []byte
	for range 3 {
		conn, err := tls.Dial("tcp", w.addr, conf)
		if err != nil {
			t.Fatal(err)
		}
		state := conn.ConnectionState()
		if welcome, err := caller.Register(conn, state, w.certificate(1, 1)); err != nil || welcome.Reason != relay.NoReason {
			t.Fatal(welcome.Reason, err)
		}
		conn.Close()
		exported, err := state.ExportKeyingMaterial("EXPERIMENTAL a test", nil, 32)
		if err != nil || state.DidResume || bytes.Equal(exported, last) {
			t.Errorf("resumed: %v; the same is exported: %v, %v", state.DidResume, bytes.Equal(exported, last), err)
		}
		last = exported
	}
	old := caller.ClientTLS()
	old.MinVersion, old.MaxVersion = 0, tls.VersionTLS12
	if conn, err := tls.Dial("tcp", w.addr, old); err == nil {
		conn.Close()
		t.Error("TLS 1.2 is spoken")
	}
}

func TestWhoConnectsOverQUICAndDoesNotRegisterKeepsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := netip.MustParseAddrPort("198.51.100.2:443")
		n := netsim.New(1)
		n.Weather(netsim.Conditions{Latency: 5 * time.Millisecond})
		udp, err := n.Host(at.Addr()).ListenPacket(at.Port())
		if err != nil {
			t.Fatal(err)
		}
		w := start(t, func(c *Config) { c.PerSource, c.Sockets = 3, Sockets{QUIC: udp} })
		w.addr = at.String()
		from := func(host byte) line {
			u, err := n.Host(netip.AddrFrom4([4]byte{198, 51, 100, host})).ListenPacket(0)
			if err != nil {
				t.Fatal(err)
			}
			return w.quicLine(u)
		}
		ended := make(chan time.Duration, 3)
		begun := time.Now()
		for i := range 3 {
			l := from(7)
			l.Write([]byte{0, 200, relay.Type}[:i]) // nothing, or too little
			go func() {
				l.Read(make([]byte, 1))
				ended <- time.Since(begun)
			}()
		}
		time.Sleep(time.Second)
		late := from(7)
		if _, err := late.answer(w.introduced(w.certificate(1, 1), late.ExportKeyingMaterial)); err == nil {
			t.Error("one address has more than its share")
		}
		other := from(8)
		if got, err := other.answer(w.introduced(w.certificate(1, 2), other.ExportKeyingMaterial)); err != nil || got.Reason != relay.NoReason {
			t.Error("others are kept out:", got.Reason, err)
		}
		for range 3 {
			if took := <-ended; took > 2*hurry+time.Second {
				t.Errorf("who says too little is waited for %v", took)
			}
		}
		again := from(7)
		if got, err := again.answer(w.introduced(w.certificate(1, 3), again.ExportKeyingMaterial)); err != nil || got.Reason != relay.NoReason {
			t.Error("there is no room again:", got.Reason, err)
		}
	})
}
