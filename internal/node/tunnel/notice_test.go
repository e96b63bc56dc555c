package tunnel

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// page is a queue that counts what is written.
type page struct {
	tun.Queue
	runs int
}

func (p *page) Write(runs []offload.Run) error {
	p.runs += len(runs)
	return nil
}

func TestNoticesKeepTheirRateAndTheirBurst(t *testing.T) {
	q := &page{}
	n := &notices{to: &exit{Queue: q}}
	big := make([]byte, 1380)
	copy(big, offloadtest.Numbered(netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.0.2"), 0)[:20])
	big[2], big[3], big[10], big[11] = 1380>>8, 1380&255, 0, 0
	sum := offload.Sum(0).Bytes(big[:20]).Checksum()
	big[10], big[11] = byte(sum>>8), byte(sum)
	now := mono.Time(time.Hour)
	for range 100 {
		n.tooBig(now, big, 1300)
	}
	if q.runs != noticeBurst {
		t.Errorf("%d notices at once", q.runs)
	}
	for range 1000 {
		now = now.Add(time.Millisecond)
		n.tooBig(now, big, 1300)
	}
	if got := q.runs - noticeBurst; got != int(time.Second/noticeEvery) {
		t.Errorf("%d notices in a second", got)
	}
	q.runs = 0
	now = now.Add(time.Minute)
	for range 100 {
		n.tooBig(now, big[:19], 1300) // is no packet: there is nothing to tell, and nothing is counted
	}
	for range 100 {
		n.tooBig(now, big, 1300)
	}
	if q.runs != noticeBurst {
		t.Errorf("%d notices after a rest", q.runs)
	}
}

func TestWidthOfAPathBoundsWhatPasses(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		p := &Peer{}
		var wide int
		var err error
		a.pathMTU = func(netip.Addr) (int, error) { return wide, err }
		a.owner.measure(p) // it is nowhere
		four, six := &Path{place: place{remote: b.at}}, &Path{place: place{remote: netip.MustParseAddrPort("[2001:db8::1]:1")}}
		for _, c := range []struct {
			to   *Path
			wide int
			want int
		}{
			{four, 1500, 1380}, {four, 65536, 1380}, {four, 1445, 1380}, {four, 1444, 1376}, {four, 1400, 1328}, {four, 1300, 1280}, {four, 0, 1280}, {four, -1, 1280},
			{six, 1500, 1380}, {six, 1464, 1376}, {six, 1420, 1328}, {six, 1280, 1280},
		} {
			wide = c.wide
			p.path.Store(c.to)
			a.owner.measure(p)
			if got := a.fits(p); got != c.want {
				t.Errorf("of %d bytes to %v %d are for the packet, want %d", c.wide, c.to.remote, got, c.want)
			}
		}
		p.path.Store(four)
		wide, err = 1400, errors.New("no route")
		a.owner.measure(p)
		if got := a.fits(p); got != 1280 {
			t.Errorf("what is not known changes the limit to %d", got)
		}
	})
}

// Where the system fragments what is longer than it knows the path to be, long probes pass all the same.
func TestWhatProbesFindAndWhatTheSystemSaysBothCount(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		p, wide := &Peer{}, 1500
		a.pathMTU = func(netip.Addr) (int, error) { return wide, nil }
		p.path.Store(&Path{place: place{remote: b.at}})
		for _, c := range []struct{ probed, wide, want int }{
			{1472, 1500, 1380}, {1269, 1500, 1232}, {1472, 1400, 1328}, {1269, 1400, 1232}, {1300, 1300, 1263 &^ 15}, {1472, 1500, 1380}, {300, 1500, 576},
		} {
			wide = c.wide
			a.owner.Limit(p, c.probed)
			if got := a.fits(p); got != c.want {
				t.Errorf("of %d bytes probed and %d said %d are for the packet, want %d", c.probed, c.wide, got, c.want)
			}
		}
		relayed := &Path{place: place{remote: b.at, lane: &Lane{}}}
		p.path.Store(relayed)
		wide = 1420
		a.owner.measure(p)
		if got := a.fits(p); got != 1328 {
			t.Errorf("through a relay %d", got)
		}
		carried := &Path{place: place{remote: b.at, lane: &Lane{Carrier: carrier{}}}}
		p.path.Store(carried)
		a.owner.measure(p)
		if got := a.fits(p); got != 1380 {
			t.Errorf("on a connection %d", got)
		}
	})
}

type carrier struct{}

func (carrier) Carry([]byte) {}

// What a map says of a plain peer may be a lie, or a mistake that would send the tunnel into itself.
func TestNoPlainPeerIsInside(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		a.refused = append(path.Loopback(), netip.MustParsePrefix("10.77.0.0/16"))
		k, good := key.WGPublic{9}, netip.MustParseAddrPort("192.0.2.9:1")
		c := PeerConfig{Key: k, Candidates: []netip.AddrPort{netip.MustParseAddrPort("10.77.0.2:1"), netip.MustParseAddrPort("127.0.0.1:1"), good}}
		if err := a.SetPeer(c); err != nil {
			t.Fatal(err)
		}
		_ = a.owner.do(func() {
			if got := a.owner.peers[k].picker.Candidates(); len(got) != 1 || got[0] != good {
				t.Errorf("it is looked for at %v", got)
			}
		})
	})
}

func TestOnlyIPv4WithoutDFMayBeFragmented(t *testing.T) {
	four := offloadtest.Numbered(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), 0)
	if mayFragment(four) {
		t.Error("DF is set")
	}
	four[6] = 0
	if !mayFragment(four) {
		t.Error("DF is not set")
	}
	if mayFragment(append([]byte{0x60}, make([]byte, 39)...)) {
		t.Error("IPv6 is fragmented by its sender alone")
	}
}
