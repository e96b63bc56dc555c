package quantum

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

func newRandom(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// A peer that says anything at all makes a machine neither panic, nor answer more than it was asked, nor keep its owner busy.
func FuzzPeer(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 2, 0, 1, 1, 1, 2, 3, 0}, 640)
	f.Add([]byte{2, 0, 0, 0, 0, 0, 1, 9, 2, 0, 1, 3, 0, 1, 5, 0}, 32)
	f.Add([]byte{2, 0, 0, 0, 0, 4, 1, 9, 2, 0, 1, 9, 2, 1, 1, 3}, 640)
	f.Fuzz(func(t *testing.T, script []byte, length int) {
		peer := key.WGPublic{2}
		m, out, now := New(key.WGPublic{1}, newRandom(1)), new(Out), mono.Time(1)
		if err := m.Put(peer); err != nil {
			t.Fatal(err)
		}
		asked, answered, ours := 0, 0, uint64(0)
		for ; len(script) >= 4; script = script[4:] {
			out.Reset()
			switch b := script[0]; b % 4 {
			case 0, 1:
				msg := disco.Message{Kind: disco.Part, ID: uint64(b), Step: script[1], Index: script[2], Of: script[3], Data: make([]byte, max(0, length)%disco.MaxPart+1)}
				if b%4 == 1 {
					msg.ID = ours
				}
				asked += len(msg.Data)
				m.Part(now, peer, &msg, out)
			case 2:
				m.Want(now, peer, out)
			case 3:
				now = now.Add(time.Duration(script[1]) * 100 * time.Millisecond)
				m.Tick(now, out)
				if d := m.Deadline(); !d.IsNever() && d <= now {
					t.Fatalf("tick at %v leaves deadline %v", now, d)
				}
			}
			for _, tr := range out.Transmits {
				if tr.Answer {
					answered += len(tr.Message.Data)
				} else {
					ours = tr.Message.ID
				}
			}
		}
		if answered > asked || m.running > 1 {
			t.Fatalf("asked %d bytes, answered %d; %d exchanges run", asked, answered, m.running)
		}
	})
}

func BenchmarkExchange(b *testing.B) {
	for b.Loop() {
		w := newWorld(b, 1)
		w.want(0)
		w.run(time.Second)
		w.agree()
	}
}
