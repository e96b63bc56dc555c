package wg

import (
	"fmt"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{128, 1420} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, _ := twoSessions(1)
			buf := make([]byte, 2048)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				counter, _ := s.Reserve(1, 1)
				s.Seal(buf[:0], counter, buf[HeaderSize:HeaderSize+size], 1420)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range []int{128, 1420} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, r := twoSessions(1)
			const batch = 128
			sealed := make([][]byte, batch)
			work := make([]byte, 2048)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%batch == 0 {
					b.StopTimer()
					first, _ := s.Reserve(1, batch)
					for i := range sealed {
						sealed[i] = s.Seal(sealed[i][:0], first+uint64(i), work[:size], 0)
					}
					b.StartTimer()
				}
				msg := sealed[n%batch]
				if _, drop := r.Open(1, msg[HeaderSize:HeaderSize], msg); drop != Taken {
					b.Fatal(drop)
				}
			}
		})
	}
}

func BenchmarkMarks(b *testing.B) {
	s, _ := twoSessions(1)
	now := mono.Time(1)
	for b.Loop() {
		now++
		s.Sent(now, true)
		s.Received(now, 1, true)
	}
}

func BenchmarkReplayWindow(b *testing.B) {
	var w window
	for c := uint64(0); b.Loop(); c++ {
		w.accept(c)
	}
}

// The responder's whole work for one handshake: a peer met before, whose shared secret is known.
func BenchmarkRespond(b *testing.B) {
	for _, known := range []bool{true, false} {
		b.Run(fmt.Sprintf("known=%v", known), func(b *testing.B) {
			m, out := newMachine(b, 1)
			const clients = 64
			now, at := mono.Time(time.Hour), epoch()
			messages := make([][]byte, clients)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%clients == 0 {
					b.StopTimer()
					now, at = now.Add(time.Second), at.Add(time.Second)
					for i := range messages {
						messages[i] = initiationTo(b, m.Public(), 1000+i, at)
						if !known {
							m.Remove(testKey(b, 1000+i).Public(), out)
						}
					}
					out.Reset()
					b.StartTimer()
				}
				if drop := m.Handshake(now, Origin{}, messages[n%clients], out); drop != Taken {
					b.Fatal(drop)
				}
				out.Reset()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "handshakes/s")
		})
	}
}

func BenchmarkInitiateAndFinish(b *testing.B) {
	a, r := testIdentity(b, 0), testIdentity(b, 1)
	shared, _ := agree(a.private, r.public[:])
	var psk key.Preshared
	msg, answer := make(initiation, initiationSize), make(response, responseSize)
	rnd := testRandom(1)
	for b.Loop() {
		try, _ := a.initiate(msg, r.public, &shared, 1, Timestamp{}, rnd)
		b.StopTimer()
		v, _ := r.greet(msg)
		v.prove(msg, &shared)
		v.answer(answer, 2, psk, rnd)
		b.StartTimer()
		if _, _, ok := try.finish(&a, answer, psk); !ok {
			b.Fatal("not finished")
		}
	}
}

// What one message of a flood costs: a challenge, and one that is not even addressed to us.
func BenchmarkFlood(b *testing.B) {
	for _, addressed := range []bool{true, false} {
		b.Run(fmt.Sprintf("addressed=%v", addressed), func(b *testing.B) {
			m, out := newMachine(b, 1)
			msg := initiationTo(b, m.Public(), 5, epoch())
			if !addressed {
				mac1Of(msg)[0] ^= 1
			}
			m.Press(1)
			b.ReportAllocs()
			for b.Loop() {
				m.Handshake(1, Origin{}, msg, out)
				out.Reset()
			}
		})
	}
}

func BenchmarkTick(b *testing.B) {
	m, out := newMachine(b, 1)
	now := mono.Time(time.Hour)
	for i := range 10_000 {
		p := Peer{}
		p.Public[0], p.Public[1] = byte(i), byte(i>>8+1)
		if err := m.Put(now, p, out); err != nil {
			b.Fatal(err)
		}
		m.peers[p.Public].warm().send(now, true)
		m.look(m.peers[p.Public], now, out)
	}
	out.Reset()
	b.ReportAllocs()
	for b.Loop() {
		now = max(now, m.Deadline())
		p, _ := m.schedule.Due(m.schedule.Deadline())
		p.traffic.receive(now, true) // traffic goes on
		m.look(p, now, out)
		out.Reset()
	}
}
