package crypt

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

func newSuite(t testing.TB, encryption, integrity msg.Transform) Suite {
	t.Helper()
	s, err := NewSuite(encryption, integrity)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// suites are all that we have.
func suites(t testing.TB) map[string]Suite {
	all := map[string]Suite{}
	add := func(e, i msg.Transform) { all[e.String()+" "+i.String()] = newSuite(t, e, i) }
	add(msg.Transform{Type: msg.Encryption, ID: msg.EncrChaCha20}, msg.Transform{})
	for _, bits := range []uint16{128, 192, 256} {
		add(msg.Transform{Type: msg.Encryption, ID: msg.EncrAESGCM16, KeyBits: bits}, msg.Transform{Type: msg.Integrity, ID: msg.IntegNone})
		for _, id := range []msg.TransformID{msg.IntegSHA256, msg.IntegSHA384, msg.IntegSHA512} {
			add(msg.Transform{Type: msg.Encryption, ID: msg.EncrAESCBC, KeyBits: bits}, msg.Transform{Type: msg.Integrity, ID: id})
		}
	}
	return all
}

// pair is both ends of one direction.
func pair(t testing.TB, s Suite, first byte) (*Sealer, *Opener) {
	t.Helper()
	encr, auth := s.KeySizes()
	sealer, err := s.NewSealer(fill(encr, first), fill(auth, first+1), rand.NewChaCha8([32]byte{first}))
	if err != nil {
		t.Fatal(err)
	}
	opener, err := s.NewOpener(fill(encr, first), fill(auth, first+1))
	if err != nil {
		t.Fatal(err)
	}
	return sealer, opener
}

var head = msg.Header{SPIi: 0x0102030405060708, SPIr: 0x1112131415161718, Exchange: msg.Informational, Flags: msg.FromInitiator, ID: 3}

func open(t testing.TB, o *Opener, raw []byte) ([]msg.Payload, error) {
	t.Helper()
	m, err := msg.Parse(raw)
	if err != nil {
		return nil, err
	}
	sk, ok := msg.First[msg.SK](m.Payloads)
	if !ok {
		t.Fatalf("%+v has no SK", m)
	}
	return o.Open(raw, sk)
}

// seal makes a message with payloads in SK.
func seal(s *Sealer, h msg.Header, ps ...msg.Payload) ([]byte, error) {
	first, plain, err := msg.AppendChain(nil, ps)
	if err != nil {
		return nil, err
	}
	return s.Seal(h, first, plain)
}

// fragments makes messages of at most size bytes.
func fragments(s *Sealer, ps []msg.Payload, size int) ([][]byte, error) {
	first, plain, err := msg.AppendChain(nil, ps)
	if err != nil {
		return nil, err
	}
	return s.SealFragments(head, first, plain, size)
}

// RFC 7634 appendix B.
func TestTheMessageOfRFC7634(t *testing.T) {
	suite := newSuite(t, msg.Transform{Type: msg.Encryption, ID: msg.EncrChaCha20}, msg.Transform{})
	raw := unhex(t, "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029"+
		"1011121314151617"+"610394701f8d017f7c12924889"+"6b71bfe25236efd7cdc67066906315b2")
	key := append(fill(32, 0x80), 0xa0, 0xa1, 0xa2, 0xa3)
	want := []msg.Payload{msg.Notify{Kind: msg.SetWindowSize, Data: []byte{0, 0, 0, 10}}}

	sealer, err := suite.NewSealer(key, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	sealer.p.(*aead).next = 0x1011121314151617
	h := msg.Header{SPIi: 0xc0c1c2c3c4c5c6c7, SPIr: 0xd0d1d2d3d4d5d6d7, Exchange: msg.Informational, ID: 9}
	if got, err := seal(sealer, h, want...); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("sealed %x, %v", got, err)
	}
	opener, err := suite.NewOpener(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, opener, raw); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("opened %+v, %v", got, err)
	}
}

func TestWhatIsSealedIsOpened(t *testing.T) {
	for name, suite := range suites(t) {
		sealer, opener := pair(t, suite, 1)
		for n := range 40 { // every remainder of a block, and nothing at all
			var want []msg.Payload
			if n > 0 {
				want = []msg.Payload{msg.Vendor(fill(n, 0))}
			}
			raw, err := seal(sealer, head, want...)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := open(t, opener, raw)
			if err != nil || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %d bytes: %+v, %v", name, n, got, err)
			}
		}
	}
}

func TestAFlippedBitIsNoticed(t *testing.T) {
	for name, suite := range suites(t) {
		sealer, opener := pair(t, suite, 1)
		raw, err := seal(sealer, head, msg.Vendor("vendor"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(raw) * 8 {
			bad := bytes.Clone(raw)
			bad[i/8] ^= 1 << (i % 8)
			m, err := msg.Parse(bad)
			if err != nil {
				continue
			}
			sk, ok := msg.First[msg.SK](m.Payloads)
			if !ok {
				continue
			}
			if ps, err := opener.Open(bad, sk); !errors.Is(err, ErrForged) {
				t.Errorf("%s: with bit %d flipped: %+v, %v", name, i, ps, err)
			}
		}
		if _, other := pair(t, suite, 2); !forged(t, other, raw) {
			t.Errorf("%s: opened with another key", name)
		}
		if _, err := open(t, opener, raw); err != nil {
			t.Errorf("%s: no longer opened: %v", name, err)
		}
	}
}

func forged(t *testing.T, o *Opener, raw []byte) bool {
	_, err := open(t, o, bytes.Clone(raw))
	return errors.Is(err, ErrForged)
}

func TestABodyOfAnyLengthIsRefusedInPeace(t *testing.T) {
	for name, suite := range suites(t) {
		_, opener := pair(t, suite, 1)
		for n := 1; n < 130; n++ {
			raw, err := head.AppendSK(nil, msg.NoPayload, n)
			if err != nil {
				t.Fatal(err)
			}
			if !forged(t, opener, append(raw, make([]byte, n)...)) {
				t.Errorf("%s: %d zero bytes are opened", name, n)
			}
		}
	}
}

// A peer with the keys may still be hostile, or broken.
func TestPaddingBeyondTheMessageIsRefused(t *testing.T) {
	for name, suite := range suites(t) {
		sealer, opener := pair(t, suite, 1)
		_, block, _ := sealer.p.sizes()
		plain := bytes.Repeat([]byte{255}, block*2)
		iv, _, icv := sealer.p.sizes()
		raw, err := head.AppendSK(nil, msg.NoPayload, iv+len(plain)+icv)
		if err == nil {
			raw, err = sealer.p.seal(slices.Concat(raw, make([]byte, iv), plain), len(raw))
		}
		if err != nil {
			t.Fatal(err)
		}
		var e *msg.Error
		if ps, err := open(t, opener, raw); !errors.As(err, &e) || e.Where != "padding" {
			t.Errorf("%s: %+v, %v", name, ps, err)
		}
	}
}

func TestFragmentsFitAndComeTogether(t *testing.T) {
	want := []msg.Payload{msg.Vendor(fill(1500, 0)), msg.KE{Method: msg.KEMLKEM768, Data: fill(1184, 1)}}
	for name, suite := range suites(t) {
		sealer, opener := pair(t, suite, 1)
		for _, size := range []int{MinDatagram, 600, 1232, 1280, 1281, 9000} {
			all, err := fragments(sealer, want, size)
			if err != nil {
				t.Fatal(err)
			}
			if size == 9000 {
				if got, err := open(t, opener, all[0]); len(all) != 1 || err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %d messages of 9000: %+v, %v", name, len(all), got, err)
				}
				continue
			}
			got, err := msg.Chain(gather(t, opener, all, size))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s in pieces of %d: %+v, %v", name, size, got, err)
			}
		}
		if _, err := fragments(sealer, want, MinDatagram-1); err == nil {
			t.Errorf("%s: fragments too small", name)
		}
	}
}

func gather(t *testing.T, o *Opener, all [][]byte, size int) (first msg.PayloadType, plain []byte) {
	t.Helper()
	for i, raw := range all {
		m, err := msg.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		f, ok := msg.First[msg.SKF](m.Payloads)
		if !ok || int(f.Number) != i+1 || int(f.Total) != len(all) || len(raw) > size || (f.First == msg.NoPayload) != (i > 0) {
			t.Fatalf("fragment %d of %d: %d bytes: %+v", i+1, len(all), len(raw), f)
		}
		if i < len(all)-1 && size-len(raw) >= 16 {
			t.Errorf("fragment %d of %d wastes %d bytes", i+1, len(all), size-len(raw))
		}
		if i == 0 {
			first = f.First
		}
		part, err := o.OpenFragment(raw, f)
		if err != nil {
			t.Fatal(err)
		}
		plain = append(plain, part...)
	}
	return first, plain
}

func TestTooManyFragmentsAreNotMade(t *testing.T) {
	sealer, _ := pair(t, suites(t)["CHACHA20_POLY1305 transform type 0 0"], 1)
	huge := []msg.Payload{msg.Vendor(fill(msg.MaxMessage-4, 0))}
	if all, err := fragments(sealer, huge, MinDatagram); err == nil {
		t.Errorf("%d fragments", len(all))
	}
}

func TestNoNonceTwice(t *testing.T) {
	for name, suite := range suites(t) {
		sealer, _ := pair(t, suite, 1)
		iv, _, _ := sealer.p.sizes()
		seen := map[string]bool{}
		for range 200 {
			raw, err := seal(sealer, head)
			if err != nil {
				t.Fatal(err)
			}
			nonce := string(raw[32 : 32+iv])
			if seen[nonce] {
				t.Fatalf("%s: IV %x twice", name, nonce)
			}
			seen[nonce] = true
		}
		if a, ok := sealer.p.(*aead); ok {
			a.next = math.MaxUint64
			if _, err := seal(sealer, head); err == nil {
				t.Errorf("%s: the counter wraps", name)
			}
		}
	}
}

func TestWithoutRandomnessNothingIsSealed(t *testing.T) {
	suite := newSuite(t, msg.Transform{Type: msg.Encryption, ID: msg.EncrAESCBC, KeyBits: 256}, msg.Transform{Type: msg.Integrity, ID: msg.IntegSHA256})
	sealer, err := suite.NewSealer(fill(32, 1), fill(32, 1), bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := seal(sealer, head); err == nil {
		t.Errorf("%x, %v", got, err)
	}
}

func TestUnfitTransformsAndKeysAreRefused(t *testing.T) {
	gcm := msg.Transform{Type: msg.Encryption, ID: msg.EncrAESGCM16, KeyBits: 256}
	cbc := msg.Transform{Type: msg.Encryption, ID: msg.EncrAESCBC, KeyBits: 256}
	sha := msg.Transform{Type: msg.Integrity, ID: msg.IntegSHA256}
	odd := func(t msg.Transform) msg.Transform { t.Unknown = []msg.Attribute{{Type: 1}}; return t }
	bits := func(t msg.Transform, n uint16) msg.Transform { t.KeyBits = n; return t }
	for _, c := range [][2]msg.Transform{
		{}, {gcm, sha}, {cbc, {}}, {cbc, {Type: msg.Integrity}}, {cbc, {Type: msg.Integrity, ID: msg.IntegXCBC}}, {sha, gcm},
		{bits(gcm, 0), {}}, {bits(gcm, 257), {}}, {bits(cbc, 512), sha}, {cbc, bits(sha, 256)}, {odd(gcm), {}}, {cbc, odd(sha)},
		{{Type: msg.Encryption, ID: msg.EncrChaCha20, KeyBits: 256}, {}}, {{Type: msg.Encryption, ID: msg.EncrNull}, sha},
	} {
		if _, err := NewSuite(c[0], c[1]); err == nil {
			t.Errorf("%s with %s is taken", c[0], c[1])
		}
	}
	suite := newSuite(t, gcm, msg.Transform{})
	for _, size := range [][2]int{{32, 0}, {37, 0}, {0, 0}, {36, 1}} {
		if _, err := suite.NewSealer(fill(size[0], 0), fill(size[1], 0), nil); err == nil {
			t.Errorf("keys of %v bytes are taken", size)
		}
		if _, err := suite.NewOpener(fill(size[0], 0), fill(size[1], 0)); err == nil {
			t.Errorf("keys of %v bytes are taken", size)
		}
	}
	if _, err := (Suite{}).NewOpener(nil, nil); err == nil {
		t.Error("no suite is taken")
	}
}
