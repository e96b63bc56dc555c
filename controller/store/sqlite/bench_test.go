package sqlite

import (
	"crypto/rand"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// fastDir is a folder in memory where there is one, so that the store is measured and not the disk. BENCH_DIR names another.
func fastDir(b *testing.B) string {
	b.Helper()
	root := os.Getenv("BENCH_DIR")
	if root == "" && runtime.GOOS == "linux" {
		root = "/dev/shm"
	}
	dir, err := os.MkdirTemp(root, "cvlan-store-")
	if err != nil {
		return b.TempDir()
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// perSecond runs do from a number of callers at once.
func perSecond(b *testing.B, callers int, do func(i int) error) {
	b.Helper()
	b.SetParallelism((callers + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	var n atomic.Int64
	cpu := cpuTime()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := do(int(n.Add(1))); err != nil {
				b.Error(err)
				return
			}
		}
	})
	report(b, cpu)
}

// report adds what counts on a machine that is shared: commits a second, and the time that the processor worked for each.
func report(b *testing.B, before time.Duration) {
	b.Helper()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func BenchmarkWrite(b *testing.B) {
	for _, callers := range []int{1, 64} {
		for _, kind := range []string{"seen", "renew", "rename", "admit"} {
			b.Run(fmt.Sprintf("%s/callers=%d", kind, callers), func(b *testing.B) {
				s := openTest(b, Config{Dir: fastDir(b)})
				h, _, k, secret := settle(b, s)
				var nodes []store.Node
				for range 256 {
					n, err := h.Admit(b.Context(), machine(k, secret))
					if err != nil {
						b.Fatal(err)
					}
					nodes = append(nodes, n)
				}
				do := map[string]func(i int) error{
					"seen": func(i int) error {
						return h.Seen(b.Context(), map[ident.Node]time.Time{nodes[i%256].ID: time.Now()})
					},
					"renew": func(i int) error {
						return h.Renewed(b.Context(), nodes[i%256].ID, store.Certificate{Serial: rand.Text(), NotAfter: time.Now()})
					},
					"rename": func(i int) error {
						n := nodes[i%256]
						_, err := h.RenameNode(b.Context(), "bench", n.ID, fmt.Sprint("n", i), 0)
						return err
					},
					"admit": func(int) error { _, err := h.Admit(b.Context(), machine(k, secret)); return err },
				}[kind]
				if callers == 1 {
					cpu := cpuTime()
					b.ResetTimer()
					for i := range b.N {
						if err := do(i); err != nil {
							b.Fatal(err)
						}
					}
					report(b, cpu)
					return
				}
				perSecond(b, callers, do)
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	s := openTest(b, Config{Dir: fastDir(b)})
	h, _, k, secret := settle(b, s)
	n, err := h.Admit(b.Context(), machine(k, secret))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := h.Node(b.Context(), n.ID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad is what a controller does first for every tenant.
func BenchmarkLoad(b *testing.B) {
	s := openTest(b, Config{Dir: fastDir(b)})
	h, _, k, secret := settle(b, s)
	const nodes = 5000
	for range nodes {
		if _, err := h.Admit(b.Context(), machine(k, secret)); err != nil {
			b.Fatal(err)
		}
	}
	cpu := cpuTime()
	for b.Loop() {
		if _, err := h.Load(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N)/nodes, "cpu-µs/node")
}
