package esp

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// figure prints a number that we quote, and fails if it is above its budget.
func figure(t *testing.T, name string, value, budget float64, unit string) {
	t.Helper()
	t.Logf("FIGURE %s %.2f %s", name, value, unit)
	if value > budget {
		t.Errorf("%s is %v %s, the budget is %v", name, value, unit, budget)
	}
}

func TestFigureOfAllocationsAPacket(t *testing.T) {
	most := 0.
	for _, s := range usable() {
		a, b := twins(t, s, true)
		buf, inner := make([]byte, 2000), sample4(1400)
		most = max(most, testing.AllocsPerRun(1000, func() {
			seq, ok := a.Reserve(noon, 1)
			_, why := b.Open(noon, a.Seal(buf[:0], seq, inner))
			if !ok || why != Taken {
				t.Fatal(why)
			}
			a.Sent(noon)
			b.Received(noon, 1)
		}))
	}
	figure(t, "ipsec_allocs", most, 0, "a packet")
}

// Ten thousand peers, each with an idle pair: 4 KB a pair, 100 MB for all, owner and worker state together.
func TestFigureOfIdlePairs(t *testing.T) {
	const n = 10_000
	for _, s := range []Suite{ChaCha20Poly1305, AES256CBC, AES128GCM, AES256GCM} {
		m, out := New(rand.NewChaCha8([32]byte{1})), new(Out)
		before := liveHeap()
		for i := range n {
			name := key.WGPublic{}
			binary.LittleEndian.PutUint32(name[:], uint32(i+1))
			spi, err := m.SPI()
			if err != nil {
				t.Fatal(err)
			}
			k, _ := keysFor(s, true)
			k.Local = spi
			if err := m.Install(noon, name, k, out); err != nil {
				t.Fatal(err)
			}
			out.Reset()
		}
		*out = Out{}
		each := float64(liveHeap()-before) / n
		runtime.KeepAlive(m)
		if t.Logf("%s: %.0f bytes", s, each); s == AES256GCM {
			figure(t, "ipsec_idle_sa_bytes", each, 4096, "bytes")
			figure(t, "ipsec_10k_sas_mb", each*n/1e6, 100, "MB")
		} else if each > 4096 {
			t.Errorf("%s: %v bytes", s, each)
		}
	}
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestALookAtAPeerCostsNoAllocation(t *testing.T) {
	m, out := New(rand.NewChaCha8([32]byte{1})), new(Out)
	spi, err := m.SPI()
	if err != nil {
		t.Fatal(err)
	}
	k, _ := keysFor(AES256GCM, true)
	k.Local = spi
	if err := m.Install(noon, key.WGPublic{1}, k, out); err != nil {
		t.Fatal(err)
	}
	pair, now := m.Pair(spi), noon
	if n := testing.AllocsPerRun(1000, func() {
		now += mono.Time(1e6)
		pair.Sent(now)
		m.Attend(now, pair, out)
		m.Tick(now, out)
		out.Reset()
	}); n != 0 {
		t.Errorf("%v allocations a look", n)
	}
}
