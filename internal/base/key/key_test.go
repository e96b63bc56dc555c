package key

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNoVerbShowsASecret(t *testing.T) {
	id, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	w, s := NewWGPrivate(), NewSecret()
	scalar, err := id.k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{w, s, id, &w, &s, &id, struct{ K WGPrivate }{w}} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		j, _ := json.Marshal(v)
		all := fmt.Sprintf("%v %+v %#v %s %x %q %d", v, v, v, v, v, v, v) + log.String() + string(j)
		for _, b := range [][]byte{w.Bytes(), s.Bytes(), scalar} {
			if strings.Contains(all, fmt.Sprintf("%x", b[:4])) || strings.Contains(all, fmt.Sprintf("%d %d %d", b[0], b[1], b[2])) || !strings.Contains(all, Redacted) {
				t.Fatalf("%T shows itself: %s", v, all)
			}
		}
	}
}

func TestIdentitySurvivesItsPEMAndSigns(t *testing.T) {
	a, _ := NewIdentity()
	text, err := a.PEM()
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := b.Sign([]byte("record"))
	if err != nil || len(sig) != SignatureSize {
		t.Fatal(len(sig), err)
	}
	pub, err := ParseIdentityPublic(append([]byte(nil), func() []byte { p := a.Public(); return p[:] }()...))
	if err != nil || !pub.Verify([]byte("record"), sig) {
		t.Fatal("signature refused", err)
	}
	sig[5] ^= 1
	if pub.Verify([]byte("record"), sig) || pub.Verify([]byte("other"), sig) {
		t.Fatal("a wrong signature passed")
	}
	if _, err := ParseIdentityPublic(make([]byte, 33)); err == nil {
		t.Fatal("a point off the curve passed")
	}
	if _, err := ParseIdentity([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")); err == nil {
		t.Fatal("rubbish passed")
	}
}

func TestSecretsMatchOnlyTheirHash(t *testing.T) {
	s := NewSecret()
	h := s.Hash()
	if !s.Matches(h[:]) || NewSecret().Matches(h[:]) || s.Matches(h[:31]) {
		t.Fatal("Matches is wrong")
	}
}

func TestWGKeysAreClampedAndParse(t *testing.T) {
	k := NewWGPrivate()
	got, err := ParseWGPrivate(k.Bytes())
	if err != nil || got.Public() != k.Public() {
		t.Fatal(err)
	}
	if _, err := ParseWGPrivate(make([]byte, 31)); err == nil {
		t.Fatal("31 bytes passed")
	}
	var p WGPublic
	if err := p.UnmarshalText([]byte(k.Public().String())); err != nil || p != k.Public() {
		t.Fatal(err)
	}
}
