package hub

import (
	"bytes"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestANodeIsSeenOnceItHasSigned(t *testing.T) {
	play(t, func(s *scene) {
		a, b := s.machine("a"), s.machine("b")
		b.unsigned = true
		a.dial()
		lb := b.dial()
		s.settle()
		s.sees(a)
		s.sees(b, "a+")
		lb.say(&pb.Frame{Body: &pb.Frame_Signed{Signed: b.sign(b.node.Record)}})
		s.settle()
		s.sees(a, "b+")
	})
}

func TestARenamedNodeIsShownByItsNewNameWhenItHasSignedIt(t *testing.T) {
	play(t, func(s *scene) {
		a, b := s.machine("a"), s.machine("b")
		a.dial()
		lb := b.dial()
		s.settle()
		lb.hangUp()
		s.rename(b, "beta")
		s.settle()
		s.sees(a, "b") // it cannot sign while it is away
		b.dial()
		s.settle()
		s.sees(a, "beta+")
		if n := s.current(b); !hasSigned(n) {
			s.Errorf("%+v", n)
		}
	})
}

func TestAWrongSignatureIsRefused(t *testing.T) {
	for name, forge := range map[string]func(s *scene, m, other *machine) *pb.Signed{
		"by another key": func(s *scene, m, _ *machine) *pb.Signed {
			m.id = must[key.Identity](s.T)(key.NewIdentity())
			return m.sign(m.node.Record)
		},
		"over somebody else's record":     func(s *scene, m, other *machine) *pb.Signed { return m.sign(other.node.Record) },
		"somebody else's, record and all": func(s *scene, m, other *machine) *pb.Signed { return other.sign(other.node.Record) },
		"for another network": func(s *scene, m, _ *machine) *pb.Signed {
			m.node.Network++
			return m.sign(m.node.Record)
		},
		"cut short": func(s *scene, m, _ *machine) *pb.Signed {
			w := m.sign(m.node.Record)
			w.Signature = w.Signature[:63]
			return w
		},
		"of a record with another name": func(s *scene, m, _ *machine) *pb.Signed {
			r := must[control.Record](s.T)(control.ParseRecord(m.node.Record))
			r.Name = "root"
			return m.sign(r.Encode())
		},
		"of rubbish":       func(s *scene, m, _ *machine) *pb.Signed { return m.sign([]byte("rubbish")) },
		"of a megabyte":    func(s *scene, m, _ *machine) *pb.Signed { return m.sign(make([]byte, 60_000)) },
		"nothing":          func(s *scene, m, _ *machine) *pb.Signed { return &pb.Signed{} },
		"no signature":     func(s *scene, m, _ *machine) *pb.Signed { return &pb.Signed{Record: m.node.Record} },
		"no record at all": func(s *scene, m, _ *machine) *pb.Signed { return &pb.Signed{Signature: make([]byte, 64)} },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *scene) {
				a, m, other := s.machine("a"), s.machine("m"), s.machine("other")
				m.unsigned = true
				a.dial()
				l := m.dial()
				s.settle()
				l.say(&pb.Frame{Body: &pb.Frame_Signed{Signed: forge(s, m, other)}})
				s.settle()
				s.sees(a)
				if n := s.current(m); len(n.Signature) != 0 || !bytes.Equal(n.Record, m.node.Record) {
					s.Errorf("it was stored: %+v", n)
				}
				if n := s.current(other); len(n.Signature) != 0 {
					s.Error("another node's signature was stored")
				}
				s.lives(l) // it harms nobody, and may be a defect that an upgrade heals
			})
		})
	}
}

func TestASignatureIsWrittenOnce(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		l := m.dial()
		s.settle()
		before := s.current(m)
		for range 5 {
			l.say(&pb.Frame{Body: &pb.Frame_Signed{Signed: m.sign(m.node.Record)}}) // ECDSA: another one each time
		}
		s.settle()
		if after := s.current(m); after.Version != before.Version || !bytes.Equal(after.Signature, before.Signature) {
			s.Errorf("version %d, then %d", before.Version, after.Version)
		}
	})
}

// A node that asks for too much is read more slowly, and nobody else notices.
func TestANodeThatReportsAllTheTimeIsSlowedDown(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("watcher", "loud", "calm")
		watcher, loud, calm := all[0], all[1], all[2]
		lw, ll := watcher.dial(), loud.dial()
		lc := calm.dial()
		s.settle()
		before, _ := lw.mapped()
		go func() {
			for i := range 1000 {
				ll.reports(uint16(i + 1))
			}
		}()
		time.Sleep(20 * time.Second)
		if n, _ := lw.mapped(); n-before > 30+5 {
			s.Errorf("%d maps in 20 s because of one node; want about one a second", n-before)
		}
		lc.reports(9999)
		s.settle()
		if p := watcher.peer(calm); len(p.Soft.Endpoints) != 1 || p.Soft.Endpoints[0].Port() != 9999 {
			s.Error("a calm node has to wait for a loud one")
		}
		s.lives(ll)
	})
}

func TestRenewalsArePutToTheDeskAndPaced(t *testing.T) {
	play(t, func(s *scene) {
		s.ends()
		desk := new(desk)
		s.config = Config{Renewer: desk}
		s.begins(s.db)
		m := s.machine("m")
		l := m.dial()
		s.settle()
		renew := &pb.Frame{Body: &pb.Frame_Renew{Renew: &pb.Renew{Csr: []byte("request")}}}
		l.say(renew)
		s.settle()
		if c := l.last().GetRenewed().GetChain(); len(c) != 1 || string(c[0]) != "signed request" {
			s.Errorf("%v, want the new chain", l.last())
		}
		if desk.tenant != s.tenant || desk.node != m.node.ID {
			s.Errorf("the desk was asked for node %v of tenant %v", desk.node, desk.tenant)
		}
		for range 100 {
			l.say(renew)
		}
		time.Sleep(time.Minute)
		if n := desk.asked.Load(); n > 8 {
			s.Errorf("%d certificates in a minute; want one in ten seconds", n)
		}
		s.lives(l)
		s.ends() // although the reader is waiting for the pace
		if g := l.last().GetGoaway(); g.GetReason() != pb.GoawayReason_GOAWAY_REASON_RESTART {
			s.Errorf("%v, want a farewell", l.last())
		}
	})
}

func TestAPurseIsFilledAgain(t *testing.T) {
	var p pace
	now := time.Now()
	if d := p.spend(now, purse); d != 0 {
		t.Errorf("a full purse waits %v", d)
	}
	if d := p.spend(now, income); d != time.Second {
		t.Errorf("an empty purse waits %v, want a second", d)
	}
	if d := p.spend(now.Add(time.Hour), purse); d != 0 {
		t.Errorf("an hour later it waits %v", d)
	}
	if d := p.spend(now.Add(time.Hour), 1); d != time.Second/income {
		t.Errorf("an hour saves no more than a purse; it waits %v", d)
	}
}
