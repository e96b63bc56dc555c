package ike

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// script does what its words say: "a.rekeychild" is a wish of a's, "b<" hands b the oldest message that is on its way to it, "b<2" the
// second oldest, "b-" loses the oldest, "b*" is "b<" if there is one, and "wait" lets a second pass.
func (w *world) script(words string) {
	w.t.Helper()
	w.link.delay = 24 * time.Hour // nothing arrives by itself
	for word := range strings.FieldsSeq(words) {
		n := int(word[0] - 'a')
		switch {
		case word == "wait":
			w.run(time.Second)
		case word[1] == '.':
			wishes := map[string]func(*side){
				"rekeychild": (*side).rekeyChild, "deletechild": (*side).deleteChild, "create": (*side).createChild,
				"rekey": (*side).rekey, "probe": (*side).probe, "end": (*side).end, "renew": (*side).renew,
				"rekeynewest": (*side).rekeyNewest, "deletenewest": (*side).deleteNewest,
			}
			wishes[word[2:]](w.side[n])
		default:
			nth := 1
			if len(word) > 2 {
				nth = int(word[2] - '0')
			}
			if word[1] == '*' && !slices.ContainsFunc(w.flight, func(f flying) bool { return f.to == n }) {
				continue
			}
			w.hand(n, nth, word[1] != '-')
		}
	}
	w.link.delay = 10 * time.Millisecond
	for i := range w.flight {
		w.flight[i].at = w.now.Add(10 * time.Millisecond)
	}
}

func (w *world) hand(to, nth int, deliver bool) {
	w.t.Helper()
	for i, f := range w.flight {
		if f.to != to {
			continue
		}
		if nth--; nth > 0 {
			continue
		}
		w.flight = append(w.flight[:i:i], w.flight[i+1:]...)
		if deliver {
			s := w.side[to]
			s.m.Datagram(w.now, f.path, bytes.Clone(f.data), &s.out)
			s.flush()
		}
		return
	}
	w.t.Fatalf("nothing is on its way to %c\n%s", 'a'+to, w.story())
}

// collisions are the situations in which exchanges of both sides meet, by their usual names.
var collisions = []struct {
	name, script string
	children     int // after quiet; -1: the session is over
}{
	{"child rekey regular", "a.rekeychild b< a< b< a<", 1},
	{"child rekey response lost", "a.rekeychild b< a-", 1},
	{"child rekey request repeated late", "a.rekeychild b< wait wait a< b< a<", 1},
	{"child rekey collision", "a.rekeychild b.rekeychild b< a< a< b<", 1},
	{"child rekey collision, delayed response", "a.rekeychild b.rekeychild b< a< a< b< b< a<", 1},
	{"child rekey collision, responses before requests are lost", "a.rekeychild b.rekeychild b< a< a- b-", 1},
	{"child rekey collision, one response lost", "a.rekeychild b.rekeychild b< a< a-", 1},
	{"child rekey collision, delayed request", "a.rekeychild b.rekeychild a< b<2 a< b<", 1},
	{"child rekey collision, delayed request and delete", "a.rekeychild b.rekeychild a< b<2 b< a< a<", 1},
	{"child rekey collision, request lost", "a.rekeychild b- b.rekeychild a< b< a<", 1},
	{"child rekey collision, again before it is over", "a.rekeychild b.rekeychild b< a< a< b<", 1},
	{"child rekey meets delete", "a.rekeychild b.deletechild b< a< a< b<", 0},
	{"child rekey meets delete, rekey lost", "a.rekeychild b.deletechild b- a< b<", 0}, // the peer's Delete has said that it is wanted no more
	{"child rekey meets delete, delete lost", "a.rekeychild b.deletechild b< a- a<", 0},
	{"child delete regular", "a.deletechild b< a<", 0},
	{"child delete response lost", "a.deletechild b< a-", 0},
	{"child delete collision", "a.deletechild b.deletechild b< a< a< b<", 0},
	{"child delete collision, one lost", "a.deletechild b.deletechild b- a< b<", 0},
	{"child create collision", "a.create b.create b< a< a< b<", 3},
	{"child create and delete", "a.create b.deletechild b< a< a< b<", 1},
	{"ike rekey regular", "a.rekey b< a< b< a<", 1},
	{"ike rekey response lost", "a.rekey b< a-", 1},
	{"ike rekey delete lost", "a.rekey b< a< b-", 1},
	{"ike rekey collision", "a.rekey b.rekey b< a< a< b<", 1},
	{"ike rekey collision, delayed response", "a.rekey b.rekey b< a< b< a<", 1},
	{"ike rekey collision, one response lost", "a.rekey b.rekey b< a< a-", 1},
	{"ike rekey collision, both responses lost", "a.rekey b.rekey b< a< a- b-", 1},
	{"ike rekey collision, request lost", "a.rekey b- b.rekey a< b< a<", 1},
	{"ike rekey collision, delayed request", "a.rekey b.rekey a< b<2 a<", 1},
	{"ike rekey collision, delayed request and delete", "a.rekey b.rekey a< b<2 a< b<", 1},
	{"ike rekey meets delete", "a.rekey b.end b< a<", -1},
	{"ike rekey meets delete, rekey lost", "a.rekey b.end b- a<", -1},
	{"ike rekey meets delete, delete lost", "a.rekey b.end b< a-", -1},
	{"ike delete collision", "a.end b.end b< a<", -1},
	{"ike delete response lost", "a.end b< a-", -1},
	{"ike rekey meets child rekey", "a.rekey b.rekeychild b< a< a< b<", 1},
	{"ike rekey meets child create", "a.rekey b.create b< a< a< b<", 2},
	{"ike rekey meets child delete", "a.rekey b.deletechild b< a< a< b<", 0},
	{"ike rekey meets a sign of life", "a.rekey b.probe b< a< a< b<", 1},
	{"child rekey meets ike delete", "a.rekeychild b.end b< a<", -1},
	{"child create meets ike delete", "a.create b.end b< a<", -1},
	{"additional: child rekey regular", "a.rekeychild b< a< b< a< b< a<", 1},
	{"additional: child rekey, request repeated late", "a.rekeychild b< a< wait wait b< a<", 1},
	{"additional: child rekey, last answer lost", "a.rekeychild b< a< b< a-", 1},
	{"additional: child rekey collision", "a.rekeychild b.rekeychild b< a< a< b< b< a< a< b<", 1},
	{"additional: child rekey collision, one side is faster", "a.rekeychild b.rekeychild b< a< a< b< b< a<2", 1},
	{"additional: child rekey collision, delayed request", "a.rekeychild b.rekeychild a< b<2 a< b<2 a< b<", 1},
	{"additional: child rekey meets delete before", "a.rekeychild b.deletechild b< a< a< b<", 0},
	{"additional: child rekey meets delete between", "a.rekeychild b< a< b.deletechild b< a<", 0},
	{"additional: child create collision", "a.create b.create b< a< a< b< b< a<", 3},
	{"additional: ike rekey regular", "a.rekey b< a< b< a< b< a<", 1},
	{"additional: ike rekey, last answer lost", "a.rekey b< a< b< a-", 1},
	{"additional: ike rekey collision", "a.rekey b.rekey b< a< a< b< b< a< a< b<", 1},
	{"additional: ike rekey collision, one side is faster", "a.rekey b.rekey b< a< a< b< b< a<2", 1},
	{"additional: ike rekey collision, delayed request", "a.rekey b.rekey a< b<2 a< b<2 a<", 1},
	{"additional: ike rekey meets child rekey between", "a.rekey b< a< b.rekeychild b< a< a< b<", 1},
	{"additional: ike rekey meets delete between", "a.rekey b< a< b.end b< a<", -1},
	{"additional: ike delete between", "a.rekey b< a< a.end b< a<", -1},
	{"additional: ike delete, its last answer under way", "a.rekey b< a< b< a.end a<", -1},
	{"child rekey while the peer's ike rekey is unanswered", "b.rekey a.rekeychild a< b< b< a<", 1},
	{"child rekey while the peer's ike rekey is unanswered, answer lost", "b.rekey a.rekeychild a< b< b-", 1},
	{"child create regular", "a.create b< a<", 2},
	{"child create response lost", "a.create b< a-", 2},
	{"child create, deleted by the peer before its answer arrives", "a.create b< b.deletenewest a<2 a< b<", 1},
	{"child rekey, replaced by the peer before its answer arrives", "a.rekeychild b< b.rekeynewest a<2 a< b<", 1},
	{"child rekey, then rekeyed again by the peer", "a.rekeychild b< a< b< a< b.rekeychild a< b< a< b<", 1},
	{"child rekey and create at once", "a.rekeychild a.create b< a< b< a< b< a<", 2},
	{"child rekey meets the peer's ike rekey and its delete", "a.rekeychild b.rekey b< a< a< b<", 1},
	{"ike rekey, then a wish on the old one", "a.rekey b< b.create a< a< b< b< a<", 2},
	{"ike rekey collision, winner's delete lost", "a.rekey b.rekey b< a< a< b< a- b-", 1},
	{"ike rekey twice in a row", "a.rekey b< a< b< a< a.rekey b< a< b< a<", 1},
	{"ike rekey meets ike rekey meets delete of both", "a.rekey b.rekey b< a< a.end b.end", -1},
	{"guesses wrong: child rekey regular", "a.rekeychild b< a< b< a< b< a<", 1},
	{"guesses wrong: child rekey, second request lost", "a.rekeychild b< a< b-", 1},
	{"guesses wrong: child rekey collision", "a.rekeychild b.rekeychild b< a< a< b< b< a< a< b<", 1},
	{"guesses wrong: child rekey collision, delayed retry", "a.rekeychild b.rekeychild b< a< a< b< b< a<2", 1},
	{"guesses wrong: child rekey meets delete", "a.rekeychild b< b.deletechild a<2 a< b<", 0},
	{"guesses wrong: child create collision", "a.create b.create b< a< a< b< b< a< a< b<", 3},
	{"childless: ike rekey regular", "a.rekey b< a< b< a<", 0},
	{"childless: ike rekey collision", "a.rekey b.rekey b< a< a< b<", 0},
	{"childless: ike rekey meets delete", "a.rekey b.end b< a<", -1},
	{"once: child create collision", "a.create b.create b< a< a< b<", 1},
	{"once: child create collision, answers first", "a.create b.create b< a< b< a<", 1},
	{"once: one more child", "a.create b< a<", 1},
	{"proof: renewed", "a.renew b* a* b* a* b* a*", 1},
	{"proof: renewed by both at once", "a.renew b.renew b* a* b* a* b* a* b* a*", 1},
	{"proof: renewed while the old one is rekeyed", "a.renew a.rekey b* b* a* a* b* b* a* a*", 1},
	{"proof: renewed while the peer rekeys the child", "a.renew b.rekeychild b* a* a* b* b* a* b* a*", 1},
}

// configured is what a situation's first word says of both sides.
func configured(situation string) func(n int, c *Config, p *Peer) {
	first, _, _ := strings.Cut(situation, ":")
	return func(n int, c *Config, p *Peer) {
		c.Liveness, c.Fragment = time.Minute, 1400
		c.Profile.IKE, c.Profile.ESP = c.Profile.Plain(), c.Profile.ESP[1:]
		switch first {
		case "additional":
			more := msg.Transform{Type: msg.AdditionalKE1, ID: msg.KEMLKEM768}
			c.Profile.IKE[0].Transforms = append(c.Profile.IKE[0].Transforms, more)
			c.Profile.ESP[0].Transforms = append(slices.Clone(c.Profile.ESP[0].Transforms), more)
		case "guesses wrong":
			groups([][]msg.TransformID{{msg.KECurve25519, msg.KEP256}, {msg.KEP384, msg.KEP256}}[n]...)(c)
		case "childless":
			p.Child = nil
		case "proof", "once":
			p.Unique = true
		}
	}
}

func TestSituationsAreCounted(t *testing.T) {
	names := map[string]bool{}
	for _, c := range collisions {
		if names[c.name] {
			t.Errorf("%s: twice", c.name)
		}
		names[c.name] = true
	}
	if len(names) < 69 {
		t.Errorf("%d situations are told; 69 are those that are known to have gone wrong with others", len(names))
	}
	t.Logf("FIGURE ike_situations %d", len(names))
}

// Each is played with seeds that make either side's nonce
// the lowest, and with the sides exchanged.
func TestCollisions(t *testing.T) {
	for _, c := range collisions {
		situation := c.name
		t.Run(situation, func(t *testing.T) {
			for seed := range uint64(4) {
				for _, exchanged := range []bool{false, true} {
					script := c.script
					if exchanged {
						script = strings.NewReplacer("a.", "b.", "b.", "a.", "a<", "b<", "b<", "a<", "a-", "b-", "b-", "a-", "a*", "b*", "b*", "a*").Replace(script)
					}
					w := met(t, seed, configured(situation))
					w.script(script)
					w.run(10 * time.Minute)
					if c.children < 0 {
						if len(w.side[0].up)+len(w.side[1].up)+len(w.side[0].m.sas)+len(w.side[1].m.sas) > 0 {
							t.Fatal(w.story())
						}
						continue
					}
					w.agree(c.children)
					if t.Failed() {
						t.Fatal(fmt.Sprint("seed ", seed, exchanged))
					}
				}
			}
		})
	}
}
