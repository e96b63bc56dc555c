package relayed

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/proto/relay"
)

// FuzzFrames has a hostile relay say anything, sealed as it should be where it can be: the node must stay alive, bounded, and quiet.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{byte(relay.Bound), 0, 1}, []byte{0x20, 2})
	f.Add([]byte{byte(relay.Bye), 3, 0, byte(relay.Opened), 0, 1, byte(relay.Refused), 2, 2}, make([]byte, 56))
	f.Add([]byte{byte(relay.Offered), 9, 0, byte(relay.Offered), 7, 0, byte(relay.Opened), 0, 1}, make([]byte, 56))
	f.Add([]byte{byte(relay.Cookie), 0, 1, byte(relay.Cookie), 0, 2, byte(relay.Alive), 0, 3}, []byte{0x20, 13, 0, 0})
	f.Fuzz(func(t *testing.T, script, raw []byte) {
		r := newRig(t, Config{}, 10*ms, 20*ms)
		r.l.Put(r.now, 9, 1, &r.out)
		r.start()
		r.l.Want(r.now, 9, &r.out)
		r.act()
		r.run(time.Second)
		s := r.relays[0]
		for i := 0; i+3 <= min(len(script), 3*64); i += 3 {
			c := relay.Control{Kind: relay.Kind(script[i]), Reason: relay.Reason(script[i+1]), Client: s.number, Transaction: r.l.slots[1].tx - uint64(script[i+2]%8),
				Channel: relay.Number(script[i+1]), Node: 9, Seen: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, script[i+1]}), uint16(script[i+2]))}
			n := relay.Notice{Kind: relay.Closed + relay.Kind(script[i]%2), Number: relay.Number(script[i+1]), Echo: c.Transaction}
			for _, b := range [][]byte{c.Append(nil, &s.secret), n.Append(nil, &s.secret), raw} {
				r.l.Frame(r.now, s.addr, 0, b, &r.out)
				r.l.Frame(r.now, netip.AddrPort{}, 1, b, &r.out)
				if len(r.out.Transmits) > 16 {
					t.Fatalf("%d frames for one", len(r.out.Transmits))
				}
				r.act()
			}
			r.run(10 * ms)
		}
		r.run(10 * time.Second)
	})
}
