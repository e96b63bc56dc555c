package xfrm

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/sys/mark"
)

var sample = SA{
	SPI: 0x3f000001, Peer: 7, From: netip.MustParseAddrPort("192.0.2.1:41641"), To: netip.MustParseAddrPort("[2001:db8::2]:4500"),
	Cipher: AESGCM, Key: make([]byte, 36), ESN: true, Window: 1024, Last: 1<<33 + 5, Missing: []uint64{1 << 33}, Packets: 1 << 41, Age: time.Hour,
}

// What is asked for is what would be read.
func TestAnAssociationIsReadAsItWasWritten(t *testing.T) {
	f, err := readSA(sample.add(99))
	if err != nil || f.name != sample.name() || f.link != 99 || f.Sent != sample.Last || f.Received != sample.Last {
		t.Errorf("%+v, %v", f, err)
	}
	whole := sample.add(99)
	removed := addAttr(sample.name().body(99), attrSA, whole[:saSize])
	if f, err = readRemoved(append(removed, whole[saSize:]...)); err != nil || f.name != sample.name() || f.Sent != sample.Last {
		t.Errorf("removed: %+v, %v", f, err)
	}
}

func TestAPolicyIsReadAsItWasWritten(t *testing.T) {
	p := policy{dir: out, src: netip.MustParseAddr("fd00::1"), dst: netip.MustParseAddr("fd00::2"), protocol: 58}
	got, link, err := readPolicy(p.put(99))
	if err != nil || got != p || link != 99 {
		t.Errorf("%+v, %d, %v", got, link, err)
	}
}

// Only the sealing direction marks: what is opened would else pass for the daemon's own.
func TestSealedPacketsAreMarked(t *testing.T) {
	for _, own := range []bool{false, true} {
		s := sample
		s.Own = own
		var value, mask []byte
		attrs(s.add(99)[saSize:], func(kind uint16, v []byte) {
			switch kind {
			case attrMark:
				value = v
			case attrMarkMask:
				mask = v
			}
		})
		if marked := value != nil && order.Uint32(value) == mark.Value && mask != nil && order.Uint32(mask) == mark.Mask; marked != own {
			t.Errorf("own %v: mark %x of %x", own, value, mask)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(sample.add(99))
	f.Add(sample.name().body(99))
	f.Add(policy{src: netip.MustParseAddr("10.0.0.1"), dst: netip.MustParseAddr("10.0.0.2")}.put(99))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = readSA(b)
		_, _ = readRemoved(b)
		_, _, _ = readPolicy(b)
	})
}
