package audit

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

const tenant ident.Tenant = 42

// trail makes a chain of n events.
func trail(n int) []store.Event {
	var all []store.Event
	var last Link
	for i := range n {
		e := store.Event{Seq: last.Seq + 1, At: time.UnixMicro(int64(i) * 1e6), Actor: "me", Action: "node.approve", Target: "n1", Detail: "{}", Prev: last.Hash}
		e.Hash = Hash(tenant, e.Prev, e)
		all, last = append(all, e), Link{e.Seq, e.Hash}
	}
	return all
}

// Whoever verifies with another program relies on this very hash.
func TestTheHashIsFixed(t *testing.T) {
	h := Hash(tenant, [32]byte{1, 2, 3}, store.Event{Seq: 7, At: time.UnixMicro(1_700_000_000_000_001), Actor: "a", Action: "b", Target: "c", Detail: "{}"})
	if got, want := hex.EncodeToString(h[:]), "87630bceed7a03b049ff17b8a5a94f23ca885ce3b737112d2e4c00808e9f4c0c"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAnUntouchedTrailVerifies(t *testing.T) {
	all := trail(10)
	last, err := Verify(tenant, Link{}, all)
	if err != nil || last.Seq != 10 || last.Hash != all[9].Hash {
		t.Fatalf("%v, %v", last, err)
	}
	if _, err := Verify(tenant, Link{4, all[3].Hash}, all[4:8]); err != nil {
		t.Errorf("a part: %v", err)
	}
}

func TestEveryTamperingShows(t *testing.T) {
	for name, spoil := range map[string]func(e []store.Event) []store.Event{
		"actor":    func(e []store.Event) []store.Event { e[3].Actor = "you"; return e },
		"action":   func(e []store.Event) []store.Event { e[3].Action = "node.delete"; return e },
		"target":   func(e []store.Event) []store.Event { e[3].Target = "n2"; return e },
		"detail":   func(e []store.Event) []store.Event { e[3].Detail = "{ }"; return e },
		"time":     func(e []store.Event) []store.Event { e[3].At = e[3].At.Add(time.Microsecond); return e },
		"boundary": func(e []store.Event) []store.Event { e[3].Actor, e[3].Action = "m", "enode.approve"; return e },
		"removed":  func(e []store.Event) []store.Event { return append(e[:3], e[4:]...) },
		"swapped":  func(e []store.Event) []store.Event { e[3], e[4] = e[4], e[3]; return e },
		"twice":    func(e []store.Event) []store.Event { return append(e[:4], e[3:]...) },
		"rehashed": func(e []store.Event) []store.Event {
			e[3].Actor = "you"
			e[3].Hash = Hash(tenant, e[3].Prev, e[3])
			return e
		},
		"beginning": func(e []store.Event) []store.Event { return e[1:] },
	} {
		if _, err := Verify(tenant, Link{}, spoil(trail(10))); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Verify(43, Link{}, trail(3)); !errors.Is(err, ErrBroken) {
		t.Errorf("another tenant's trail: %v", err)
	}
}

type shy struct{ Password string }

func TestDetailShowsNoSecret(t *testing.T) {
	secret := key.NewSecret()
	d := Detail(slog.String("name", "web"), slog.Any("key", secret), slog.Any("wg", key.NewWGPrivate()), slog.String("api_secret", "hunter2"),
		slog.Any("keyHash", secret.Hash()), slog.Any("der", []byte("hunter2")), slog.Any("thing", shy{"hunter2"}), slog.Any("pointer", &shy{"hunter2"}),
		slog.String("Token", "hunter2"), slog.Any("error", errors.New("hunter2")), slog.Any("raw", [32]byte{1}))
	if strings.Contains(d, "hunter2") || strings.Contains(d, hex.EncodeToString(secret.Bytes())) {
		t.Error(d)
	}
	want := `{"name":"web","key":"(secret)","wg":"(secret)","api_secret":"(secret)","keyHash":"(secret)","der":"(7 bytes)","thing":"(not shown)","pointer":"(not shown)","Token":"(secret)","error":"(not shown)","raw":"(not shown)"}`
	if d != want {
		t.Errorf("\n%s, want\n%s", d, want)
	}
}

func TestDetailIsHarmlessAndSmall(t *testing.T) {
	d := Detail(slog.String("evil\x1b[2J", "\x1b[31mred\u202e\n"), slog.Int("n", 3), slog.Bool("b", true), slog.Any("none", nil),
		slog.Time("never", time.Time{}), slog.Time("at", time.Unix(0, 0)), slog.Duration("d", time.Hour), slog.Any("tags", []string{"a", "\x00"}),
		slog.Any("routes", []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("::/0")}), slog.Any("from", []netip.Prefix(nil)), slog.Any("ip", []netip.Addr{netip.IPv6Loopback()}))
	if want := `{"evil�[2J":"�[31mred��","n":3,"b":true,"none":null,"never":null,"at":"1970-01-01T00:00:00Z","d":"1h0m0s","tags":["a","�"],"routes":["10.20.0.0/16","::/0"],"from":[],"ip":["::1"]}`; d != want {
		t.Errorf("\n%s, want\n%s", d, want)
	}
	var many []slog.Attr
	for range 100 {
		many = append(many, slog.String("text", strings.Repeat("ü", 500)))
	}
	d = Detail(many...)
	if len(d) > MaxDetail || !json.Valid([]byte(d)) || !strings.Contains(d, `"cut":true`) {
		t.Errorf("%d bytes: %.80s", len(d), d)
	}
	if d := Detail(); d != "{}" {
		t.Errorf("nothing is %s", d)
	}
}
