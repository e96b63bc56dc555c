package mark

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// answer serves one conversation: whoever asks for an A record is told an address, and of everything else that there is none.
func answer(c net.Conn, address [4]byte) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(b) != nil {
			return
		}
		m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}, Body: &dnsmessage.AResource{A: address}}}
		}
		out, err := m.Pack()
		if err != nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
			return
		}
	}
}

// A machine whose resolver is kept back by an exit still finds its controller, by whom that resolver would ask.
func TestAResolverThatIsKeptBackIsPassedBy(t *testing.T) {
	// Package net reads its configuration once, and must not do so inside a bubble.
	_, _ = find(t.Context(), "nobody.invalid.", func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody") })
	for name, c := range map[string]struct {
		silent bool // the system's own way
		others []netip.Addr
		want   string
	}{
		"it answers":                       {false, []netip.Addr{netip.MustParseAddr("192.0.2.53")}, "192.0.2.1"},
		"it does not":                      {true, []netip.Addr{netip.MustParseAddr("192.0.2.52"), netip.MustParseAddr("192.0.2.53")}, "192.0.2.2"},
		"it does not, and nobody is known": {true, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial := func(ctx context.Context, _, address string) (net.Conn, error) {
					if address == "192.0.2.52:53" {
						return nil, errors.New("connection refused")
					}
					mine, theirs := net.Pipe()
					switch {
					case address == "192.0.2.53:53":
						go answer(theirs, [4]byte{192, 0, 2, 2})
					case c.silent:
						go func() { _, _ = io.Copy(io.Discard, theirs) }()
					default:
						go answer(theirs, [4]byte{192, 0, 2, 1})
					}
					return mine, nil
				}
				got, err := lookup(t.Context(), "ctl.example.", dial, c.others)
				time.Sleep(time.Minute) // questions that nobody waits for any more come to their end
				if c.want == "" {
					if err == nil {
						t.Errorf("found %v", got)
					}
					return
				}
				if err != nil || !slices.Contains(got, netip.MustParseAddr(c.want)) {
					t.Errorf("%v, %v; want %s", got, err, c.want)
				}
			})
		})
	}
}

func TestServersAreReadFromAResolvConf(t *testing.T) {
	got := servers("# who\nnameserver 192.0.2.53\nsearch lan\nnameserver 127.0.0.1\nnameserver fe80::1%eth0\nnameserver\nnameserver x\n")
	if want := []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("fe80::1%eth0")}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
