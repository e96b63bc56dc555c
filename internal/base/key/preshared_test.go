package key

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestAPresharedKeySurvivesItsForms(t *testing.T) {
	k := NewPreshared()
	for what, parse := range map[string]func() (Preshared, error){
		"bytes": func() (Preshared, error) { return ParsePreshared(k.Bytes()) },
		"text":  func() (Preshared, error) { return ParsePresharedText(k.Text()) },
		"raw":   func() (Preshared, error) { return RawPreshared(k.Raw()), nil },
	} {
		if got, err := parse(); err != nil || got != k || got.IsZero() {
			t.Errorf("%s: %v", what, err)
		}
	}
	if raw := k.Raw(); !bytes.Equal(raw[:], k.Bytes()) || k == NewPreshared() || k.Hex() != fmt.Sprintf("%x", k.Bytes()) {
		t.Error("not random, or not itself")
	}
}

func TestNoPresharedKeyIsTheZeroOne(t *testing.T) {
	var none Preshared
	a, err := ParsePreshared(none.Bytes())
	b, err2 := ParsePresharedText(none.Text())
	c, err3 := ParsePreshared(make([]byte, PresharedSize))
	if err != nil || err2 != nil || err3 != nil || !a.IsZero() || !b.IsZero() || !c.IsZero() || none.Hex() != strings.Repeat("0", 64) || none.Text() != "" {
		t.Fatal(err, err2, err3)
	}
	for _, s := range []string{"x", "AAAA", strings.Repeat("A", 43), NewPreshared().Text() + "A"} {
		if _, err := ParsePresharedText(s); err == nil || len(s) > 1 && strings.Contains(err.Error(), s) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := ParsePreshared(make([]byte, 31)); err == nil {
		t.Error("31 bytes passed")
	}
}

func TestNoVerbShowsAPresharedKey(t *testing.T) {
	k := NewPreshared()
	for _, v := range []any{k, &k, struct{ K Preshared }{k}} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		j, _ := json.Marshal(v)
		all := fmt.Sprintf("%v %+v %#v %s %x %q %d", v, v, v, v, v, v, v) + log.String() + string(j)
		b := k.Bytes()
		if strings.Contains(all, k.Hex()[:8]) || strings.Contains(all, k.Text()[:8]) || strings.Contains(all, fmt.Sprintf("%d %d %d", b[0], b[1], b[2])) {
			t.Fatalf("%T shows itself: %s", v, all)
		}
	}
}
