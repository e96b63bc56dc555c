package wg

import (
	"bytes"
	stdhmac "crypto/hmac"
	"encoding/hex"
	"fmt"
	"hash"
	"testing"
	"time"

	"golang.org/x/crypto/blake2s"

	"github.com/cvlan/cvlan/internal/base/key"
)

// The outputs that implementations of WireGuard agree on.
func TestKDFVectors(t *testing.T) {
	for _, v := range []struct{ key, input, a, b, c string }{
		{"test-key", "test-input",
			"6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633",
			"df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a",
			"fac6e2745a325f5dc5d11a5b165aad08b0ada28e7b4e666b7c077934a4d76c24"},
		{"wireguard", "wireguard",
			"491d43bbfdaa8750aaf535e334ecbfe5129967cd64635101c566d4caefda96e8",
			"1e71a379baefd8a79aa4662212fcafe19a23e2b609a3db7d6bcba8f560e3d25f",
			"31e1ae48bddfbe5de38f295e5452b1909a1b4e38e183926af3780b0c1e1f0160"},
		{"", "",
			"8387b46bf43eccfcf349552a095d8315c4055beb90208fb1be23b894bc2ed5d0",
			"58a0e5f6faefccf4807bff1f05fa8a9217945762040bcec2f4b4a62bdfe0e86e",
			"0ce6ea98ec548f8e281e93e32db65621c45eb18dc6f0a7ad94178610a2f7338e"},
	} {
		var k [keySize]byte
		copy(k[:], v.key)
		a1 := kdf1(&k, []byte(v.input))
		a2, b2 := kdf2(&k, []byte(v.input))
		a3, b3, c3 := kdf3(&k, []byte(v.input))
		want := []string{v.a, v.a, v.b, v.a, v.b, v.c}
		for i, got := range [][keySize]byte{a1, a2, b2, a3, b3, c3} {
			if hex.EncodeToString(got[:]) != want[i] {
				t.Errorf("key %q: output %d is %x, want %s", v.key, i, got, want[i])
			}
		}
	}
}

func TestHMACIsTheStandardOne(t *testing.T) {
	rnd := testRandom(1)
	for n := range 33 {
		var k [keySize]byte
		rnd.Read(k[:])
		text := make([]byte, n)
		rnd.Read(text)
		h := stdhmac.New(func() hash.Hash { h, _ := blake2s.New256(nil); return h }, k[:])
		h.Write(text)
		got := hmac(&k, text)
		if want := h.Sum(nil); !bytes.Equal(got[:], want) {
			t.Errorf("%d bytes: %x, want %x", n, got, want)
		}
	}
}

// The values that §5.4 makes from the two labels, before any key is mixed in.
func TestTheTranscriptBeginsAsThePaperSays(t *testing.T) {
	const chain = "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36"
	tr := begin(nil)
	if got := hex.EncodeToString(tr.chain[:]); got != chain {
		t.Errorf("C = %s, want %s", got, chain)
	}
	h := blake2s.Sum256(append(tr.chain[:], identifier...))
	h = blake2s.Sum256(h[:])
	if tr.hash != h {
		t.Errorf("H = %x, want %x", tr.hash, h)
	}
}

// A handshake whose every byte is pinned: whoever changes the order of anything changes them.
func TestAHandshakeIsTheSameEveryTime(t *testing.T) {
	a, b := testIdentity(t, 0), testIdentity(t, 1)
	shared, _ := agree(a.private, b.public[:])
	psk := key.RawPreshared([keySize]byte{9})
	msg1, msg2 := make(initiation, initiationSize), make(response, responseSize)
	try, ok := a.initiate(msg1, b.public, &shared, 7, TimestampAt(epoch()), testRandom(1))
	if !ok {
		t.Fatal("initiate")
	}
	v, ok := b.greet(msg1)
	if !ok || v.static != a.public || v.index != 7 {
		t.Fatalf("greet: %v %v %d", ok, v.static, v.index)
	}
	at, ok := v.prove(msg1, &shared)
	if !ok || at != TimestampAt(epoch()) {
		t.Fatalf("prove: %v %x", ok, at)
	}
	send, receive, ok := v.answer(msg2, 8, psk, testRandom(2))
	if !ok {
		t.Fatal("answer")
	}
	send2, receive2, ok := try.finish(&a, msg2, psk)
	if !ok || send2 != receive || receive2 != send || send == receive {
		t.Fatalf("the two sides have different keys: %v", ok)
	}
	all := blake2s.Sum256(bytes.Join([][]byte{msg1, msg2, send[:], receive[:]}, nil))
	const want = "b75be6690dff5a497f4ba6abfd6bd98e6b6edbfd5df19b7bc40a0e61a83602dd"
	if got := hex.EncodeToString(all[:]); got != want {
		t.Errorf("digest of messages and keys is %s, want %s", got, want)
	}
}

func TestEveryBitOfAHandshakeCounts(t *testing.T) {
	a, b := testIdentity(t, 0), testIdentity(t, 1)
	shared, _ := agree(a.private, b.public[:])
	var psk key.Preshared
	msg1, msg2 := make(initiation, initiationSize), make(response, responseSize)
	try, _ := a.initiate(msg1, b.public, &shared, 7, TimestampAt(epoch()), testRandom(1))
	for i := 8; i < initiationSize-2*macSize; i++ { // type and index are not under the cryptography, but under MAC1
		bad := initiation(bytes.Clone(msg1))
		bad[i] ^= 0x40
		if v, ok := b.greet(bad); ok {
			if _, ok := v.prove(bad, &shared); ok {
				t.Errorf("an initiation with byte %d changed is taken", i)
			}
		}
	}
	v, _ := b.greet(msg1)
	v.prove(msg1, &shared)
	v.answer(msg2, 8, psk, testRandom(2))
	for i := 12; i < responseSize-2*macSize; i++ {
		bad := response(bytes.Clone(msg2))
		bad[i] ^= 0x40
		if _, _, ok := try.finish(&a, bad, psk); ok {
			t.Errorf("a response with byte %d changed is taken", i)
		}
	}
	if _, _, ok := try.finish(&a, msg2, key.RawPreshared([keySize]byte{1})); ok {
		t.Error("a response is taken with another preshared key")
	}
	if _, _, ok := try.finish(&a, msg2, psk); !ok {
		t.Error("the honest response is refused after the forged ones")
	}
}

// Points of small order would make the secret zero, whoever computes it (RFC 7748, section 6.1).
func TestPointsOfSmallOrderAreRefused(t *testing.T) {
	a := testIdentity(t, 0)
	for _, p := range [][32]byte{{}, {1}} {
		if _, ok := agree(a.private, p[:]); ok {
			t.Errorf("agreed with %x", p)
		}
	}
	s := newShell(t, Config{Private: testKey(t, 0)}, 1)
	if err := s.m.Put(1, Peer{Public: key.WGPublic{1}, Keepalive: time.Second}, &s.out); err != nil {
		t.Fatal(err)
	}
	s.flush(1)
	if s.seen(EventGaveUp) != 1 {
		t.Error("a peer whose key is no key is called")
	}
	if d := s.m.Deadline(); d <= 1 {
		t.Errorf("deadline %d: a peer whose key is no key keeps the loop busy", d)
	}
}

func TestTimestampsCompareAsTimeDoes(t *testing.T) {
	at := epoch()
	if got := fmt.Sprintf("%x", TimestampAt(at)); got[:16] != fmt.Sprintf("%016x", uint64(0x400000000000000a)+uint64(at.Unix())) {
		t.Errorf("TimestampAt = %s", got)
	}
	for _, d := range []time.Duration{20 * time.Millisecond, time.Second, time.Hour, 50 * 365 * 24 * time.Hour} {
		if !TimestampAt(at.Add(d)).After(TimestampAt(at)) || TimestampAt(at).After(TimestampAt(at.Add(d))) {
			t.Errorf("%v later is not later", d)
		}
	}
	if TimestampAt(at.Add(time.Microsecond)).After(TimestampAt(at)) {
		t.Error("the stamp tells microseconds to strangers")
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	p := Peer{Public: key.WGPublic{1}, Preshared: key.RawPreshared([32]byte{0xaa, 0xbb})}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
		if s := fmt.Sprintf(verb, p.Preshared); s != key.Redacted {
			t.Errorf("%s shows %s", verb, s)
		}
	}
	if b, err := p.Preshared.MarshalText(); err != nil || string(b) != key.Redacted {
		t.Errorf("text is %s, %v", b, err)
	}
}

func testIdentity(t testing.TB, n int) identity {
	t.Helper()
	id, err := newIdentity(testKey(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return id
}
