package disco

import (
	"bytes"
	"testing"
)

// What parses is what was written: there is one form of each message.
func FuzzParse(f *testing.F) {
	for _, m := range messages() {
		b, _ := m.append(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b)+Overhead > MaxDatagram {
			return
		}
		m, err := parse(b)
		if err != nil {
			return
		}
		again, err := m.append(nil)
		if err != nil || len(again) != len(b) {
			t.Fatalf("%+v becomes %x, %v", m, again, err)
		}
		if m.Kind != Ping && !bytes.Equal(again, b) && !mapped(&m) {
			t.Fatalf("%+v becomes %x; was %x", m, again, b)
		}
	})
}

// mapped reports whether the message has an address of IPv4, of which IPv6 has a form that is never written.
func mapped(m *Message) bool {
	for _, a := range m.Addresses {
		if a.Addr().Is4() {
			return true
		}
	}
	return false
}

// Whatever comes from the wire is refused or is what the peer sealed; nothing panics.
func FuzzOpen(f *testing.F) {
	a, b, _, pb := pairs(f)
	for i, m := range messages() {
		d, err := a.Seal(nil, [NonceSize]byte{byte(i)}, &m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, d []byte) {
		_, ok := Sender(pb, d)
		m, err := b.Open(bytes.Clone(d))
		if err == nil && (!ok || !m.sound()) {
			t.Fatalf("%x opens as %+v", d, m)
		}
	})
}
