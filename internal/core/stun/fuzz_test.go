package stun

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// script is what a fuzzer has the world do, a byte a decision. When it is over all decisions are 0.
type script []byte

func (s *script) next() byte {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return b
}

// places are where the world's datagrams come from, and what it says that it sees.
var places = [...]netip.AddrPort{one, two, six, other, mapped, asker, asker6, server("[2001:db8:1::2]:3478"), server("198.51.100.1:3479"), server("0.0.0.0:9"), server("224.0.0.1:9"), server("192.0.2.9:0")}

func (s *script) place() netip.AddrPort { return places[int(s.next())%len(places)] }

// datagram is what arrives at a socket that has asked something: mostly an answer, from where it is due or from elsewhere, sound or bent.
func (s *script) datagram(asked []Transmit) (from netip.AddrPort, b []byte) {
	how := s.next()
	from = s.place()
	if len(asked) == 0 || how%8 == 7 {
		n := min(int(s.next()), len(*s))
		b, *s = (*s)[:n], (*s)[n:]
		return from, b
	}
	q := asked[len(asked)-1-int(how>>4)%len(asked)]
	if how&8 == 0 {
		from = q.To
	}
	tx := TxID(q.Data[8:headerSize])
	w := begin(nil, TypeSuccess, tx)
	w.addr(attrXorMapped, s.place(), true)
	switch how % 8 {
	case 2:
		w.addr(attrOther, s.place(), false)
	case 3:
		w.b = refusal(nil, tx, []uint16{attrChange}, RequestSize)
	case 4:
		w.b[int(s.next())%len(w.b)] ^= s.next()
	case 5:
		w.b = w.b[:int(s.next())%len(w.b)]
	case 6:
		w.b = q.Data
	}
	return from, w.b
}

// wait lets some time pass, 20 ms to 5 s.
func (s *script) wait(now mono.Time) mono.Time {
	return now.Add(time.Duration(1+int(s.next())) * 20 * time.Millisecond)
}

// awake fails if somebody wants to be woken for what was due already.
func awake(t *testing.T, now, deadline mono.Time) {
	t.Helper()
	if !deadline.IsNever() && !now.Before(deadline) {
		t.Fatalf("woken at %v, wants to be woken at %v", now, deadline)
	}
}

// tally is what a Client may say in a round.
type tally struct {
	servers []netip.AddrPort
	asked   map[netip.AddrPort]int
	settled map[netip.AddrPort]netip.AddrPort // where the server sees us; zero: it did not say
	done    bool
}

// take counts what a call decided.
func (y *tally) take(t *testing.T, out *Out) {
	t.Helper()
	for _, x := range out.Transmits {
		if y.asked[x.To]++; y.asked[x.To] > transmissions || len(x.Data) != RequestSize || !slices.Contains(y.servers, x.To) {
			t.Fatalf("%d bytes to %v, the %d. time", len(x.Data), x.To, y.asked[x.To])
		}
		if _, over := y.settled[x.To]; over {
			t.Fatalf("%v is asked again", x.To)
		}
	}
	for _, e := range out.Events {
		if _, twice := y.settled[e.Server]; twice || y.done {
			t.Fatalf("%+v after it was over", e)
		}
		switch e.Kind {
		case Done:
			y.done = true
			continue
		case Mapped:
			if !possible(e.Addr) || e.Addr.Addr().Is4() != e.Server.Addr().Is4() || e.RTT < 0 {
				t.Fatalf("%+v is believed", e)
			}
		}
		if y.asked[e.Server] == 0 {
			t.Fatalf("%+v, which was not asked", e)
		}
		y.settled[e.Server] = e.Addr
	}
	if y.done != (len(y.settled) == len(y.asked)) {
		t.Fatalf("done: %v, of %d servers %d have settled", y.done, len(y.asked), len(y.settled))
	}
}

// mapping is what follows of what was seen.
func (y *tally) mapping(four bool) (m Mapping) {
	for a, seen := range y.settled {
		for b, also := range y.settled {
			switch {
			case a.Addr() == b.Addr() || a.Addr().Is4() != four || b.Addr().Is4() != four || !seen.IsValid() || !also.IsValid():
			case seen != also:
				return MappingDependent
			default:
				m = MappingIndependent
			}
		}
	}
	return m
}

// FuzzClient lets servers and strangers say anything: a round ends all the same, asks nobody more than it should, and says no more than it has heard.
func FuzzClient(f *testing.F) {
	f.Add([]byte{2, 0, 1, 1, 0, 0, 4, 1, 16, 0, 4, 2, 100})
	f.Add([]byte{6, 0, 1, 2, 3, 8, 7, 1, 3, 0, 2, 255, 1, 2, 9, 3, 0, 2, 200, 1, 4, 0, 5, 7, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := script(in)
		var servers []netip.AddrPort
		for range s.next() % 16 {
			servers = append(servers, s.place())
		}
		c, out, now := NewClient(servers, rand.NewChaCha8([32]byte{1})), new(Out), start
		var y *tally
		var asked []Transmit
		take := func() {
			y.take(t, out)
			asked = append(asked, out.Transmits...)
			if c.Mapping() != y.mapping(true) || c.Mapping6() != y.mapping(false) {
				t.Fatalf("%v and %v of %v", c.Mapping(), c.Mapping6(), y.settled)
			}
			out.Reset()
		}
		begin := func() {
			y = &tally{servers: servers, asked: map[netip.AddrPort]int{}, settled: map[netip.AddrPort]netip.AddrPort{}}
			if err := c.Start(now, out); err != nil || len(out.Transmits) > MaxServers {
				t.Fatal(err, len(out.Transmits))
			}
			take()
		}
		tick := func() {
			c.Tick(now, out)
			awake(t, now, c.Deadline())
			take()
		}
		for begin(); len(s) > 0; {
			switch s.next() % 8 {
			case 0:
				begin()
			case 1, 2, 3, 4:
				from, b := s.datagram(asked)
				if took := c.Datagram(now, from, b, out); took != (len(out.Events) > 0) {
					t.Fatalf("taken: %v, and said %+v", took, out.Events)
				}
				take()
			default:
				now = s.wait(now)
				tick()
			}
		}
		for range MaxServers * transmissions {
			if !c.Deadline().IsNever() {
				now = c.Deadline()
				tick()
			}
		}
		if !y.done || !c.Deadline().IsNever() {
			t.Fatalf("it does not end: %v", y.settled)
		}
	})
}

// FuzzFilter does so with a Filter: nobody is let through who was not heard from.
func FuzzFilter(f *testing.F) {
	f.Add([]byte{0, 2, 0, 4, 3, 1, 8, 8, 4, 1, 8, 3, 4})
	f.Add([]byte{2, 2, 2, 6, 7, 1, 8, 7, 6, 5, 255})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := script(in)
		at := places[int(s.next())%3]
		filter, out, now := NewFilter(at, rand.NewChaCha8([32]byte{1})), new(Out), start
		if err := filter.Start(now, out); err != nil {
			t.Fatal(err)
		}
		var asked []Transmit
		times := map[TxID]int{}
		var port, ip, done bool // heard from another port, from another address; it is over
		take := func() {
			asked = append(asked, out.Transmits...)
			for _, x := range out.Transmits {
				tx := TxID(x.Data[8:headerSize])
				if times[tx]++; x.To != at || len(x.Data) != RequestSize || times[tx] > filterTimes || len(times) > questions {
					t.Fatalf("%d bytes to %v, the %d. time, %d questions", len(x.Data), x.To, times[tx], len(times))
				}
			}
			if done && len(out.Transmits)+len(out.Events) > 0 || len(out.Events) > 1 {
				t.Fatalf("after the end: %+v", out)
			}
			if done = done || len(out.Events) > 0; done != filter.Deadline().IsNever() {
				t.Fatalf("over: %v, and wants to be woken at %v", done, filter.Deadline())
			}
			out.Reset()
			if got := filter.Filtering(); got == FilteringIndependent && !ip || got == FilteringAddress && !port {
				t.Fatalf("%v; heard from another port: %v, from another address: %v", got, port, ip)
			}
		}
		take()
		tick := func() {
			filter.Tick(now, out)
			awake(t, now, filter.Deadline())
			take()
		}
		for len(s) > 0 {
			if s.next()%3 > 0 {
				now = s.wait(now)
				tick()
				continue
			}
			from, b := s.datagram(asked)
			if filter.Datagram(now, from, b, out) {
				port = port || from.Addr() == at.Addr() && from != at
				ip = ip || from.Addr() != at.Addr()
			}
			take()
		}
		for range questions * (filterTimes + 1) {
			if !done {
				now = filter.Deadline()
				tick()
			}
		}
		if !done {
			t.Fatal("it does not end")
		}
	})
}

// FuzzTrial does so with a Trial: the spare socket is silent for the time that is tried, and what has not arrived there proves nothing.
func FuzzTrial(f *testing.F) {
	met, five := []byte{0, 0, 0, 4, 1, 125}, []byte{1, 255} // an answer at the spare socket, and 2.5 s; 5 s
	long, short := slices.Concat([]byte{30}, met, met, met, five, five, five, five, five, five), slices.Concat([]byte{10}, met, met, met, five, five)
	f.Add(append(slices.Clip(long), 0, 0x10, 0, 4))                                    // it lives
	f.Add(slices.Concat(short, []byte{2, 0, 0, 4}, five, five, five, five))            // it is dead
	f.Add(append(slices.Clip(short), 2, 0x10, 0, 4))                                   // the answer goes elsewhere
	f.Add(slices.Concat(short, five, five, five, five))                                // there is none
	f.Add(slices.Concat([]byte{10}, met, []byte{0, 0, 0, 5}, five))                    // it is seen elsewhere
	f.Add(slices.Concat([]byte{10}, five, five, five, five, five, []byte{0, 0, 0, 4})) // there is no server
	f.Fuzz(func(t *testing.T, in []byte) {
		s := script(in)
		idle := time.Duration(s.next()) * time.Second
		trial, now := NewTrial(one, idle, rand.NewChaCha8([32]byte{1})), start
		var spare, main Out
		var asked []Transmit
		var last mono.Time // when the spare socket sent last
		var spares, mains int
		times := map[TxID]int{}
		var answered bool // at the main socket
		verdict := Undecided
		take := func() {
			for _, x := range slices.Concat(spare.Transmits, main.Transmits) {
				tx := TxID(x.Data[8:headerSize])
				if times[tx]++; x.To != one || len(x.Data) != RequestSize || times[tx] > trialTimes {
					t.Fatalf("%d bytes to %v, the %d. time", len(x.Data), x.To, times[tx])
				}
			}
			if len(spare.Transmits) > 0 {
				last = now
			}
			spares, mains = spares+len(spare.Transmits), mains+len(main.Transmits)
			if spares > trialGreetings*trialTimes || mains > 2*trialTimes || mains > 0 && len(spare.Transmits) > 0 || len(main.Transmits) > 0 && now.Sub(last) < idle {
				t.Fatalf("%d questions of the spare socket, the last %v ago, %d of the main one", spares, now.Sub(last), mains)
			}
			asked = append(append(asked, spare.Transmits...), main.Transmits...)
			spare.Reset()
			main.Reset()
			if was := verdict; was != Undecided && trial.Verdict() != was {
				t.Fatalf("%v after %v", trial.Verdict(), was)
			}
			if verdict = trial.Verdict(); (verdict != Undecided) != trial.Deadline().IsNever() {
				t.Fatalf("%v, and wants to be woken at %v", verdict, trial.Deadline())
			}
		}
		tick := func() {
			trial.Tick(now, &spare, &main)
			if take(); verdict == Dies && !answered || verdict == Lives || verdict == Unable {
				t.Fatalf("%v, out of silence", verdict)
			}
		}
		trial.Start(now, &spare)
		for take(); len(s) > 0 && verdict == Undecided; {
			op := s.next() % 3
			if op == 1 {
				now = s.wait(now)
				tick()
				continue
			}
			from, b := s.datagram(asked)
			took := trial.Datagram(now, op == 0, from, b)
			if take(); took && from != one || verdict == Lives && (op != 0 || mains == 0) || verdict == Unable && (op == 0 || mains == 0) || verdict == Dies {
				t.Fatalf("%v of what came from %v to socket %d", verdict, from, op)
			}
			answered = answered || took && op == 2
		}
		for range trialGreetings*(trialTimes+1) + trialTimes + 1 {
			if verdict == Undecided {
				now = max(now, trial.Deadline())
				tick()
			}
		}
		if verdict == Undecided {
			t.Fatal("it does not end")
		}
	})
}

// FuzzLifetime has trials end in any way, at any time: what is believed is never more than what has lived, or what nearly every NAT keeps.
func FuzzLifetime(f *testing.F) {
	f.Add([]byte{0, 1, 1, 1, 1, 1, 1, 4, 1, 1, 2})
	f.Add([]byte{0, 2, 2, 2, 2, 1, 5, 2, 3, 6, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		var l Lifetime
		now, most := start, rungs[firstRung] // most that may be believed
		for s := script(in); len(s) > 0; {
			op := s.next()
			known := l.Known()
			switch v := Verdict(op % 8); v {
			case 6:
				if l.Forgot(now); known > rungs[0] && l.Known() >= known {
					t.Fatalf("%v is forgotten, and %v believed", known, l.Known())
				}
				most = rungs[firstRung]
			case 7:
				if l.Moved(now, time.Duration(op)*time.Second); l.Known() != 0 || l.Begin(now) != 0 {
					t.Fatal("it is remembered elsewhere")
				}
				most = rungs[firstRung]
			default:
				if d := l.Deadline(); !d.IsNever() {
					now = max(now, d)
				}
				idle := l.Begin(now)
				if idle == 0 {
					continue // nothing has moved yet
				}
				if !slices.Contains(rungs[:], idle) || !l.Deadline().IsNever() || l.Begin(now) != 0 {
					t.Fatalf("%v is tried", idle)
				}
				changed := l.Ended(now, v)
				if v == Lives {
					most = max(most, idle)
				}
				after := l.Known()
				if changed != (after != known) || v != Lives && v != Dies && changed || v == Dies && after >= idle && idle > rungs[0] {
					t.Fatalf("%v with %v: %v instead of %v, changed: %v", v, idle, after, known, changed)
				}
				if d := l.Deadline(); d.IsNever() || d.Before(now) || v != Lives && v != Dies && d == now {
					t.Fatalf("after %v at %v the next one begins at %v", v, now, d)
				}
			}
			if k := l.Known(); k > most || k != 0 && !slices.Contains(rungs[:], k) {
				t.Fatalf("%v is believed, and %v at most has lived", k, most)
			}
		}
	})
}
