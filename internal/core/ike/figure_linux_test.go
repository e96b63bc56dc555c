//go:build !race

package ike

import (
	"flag"
	"runtime"
	"runtime/debug"
	"testing"
)

var crowdSize = flag.Int("sas", 300, "sessions of TestFigureOfMemory")

// 10,000 sessions, each with a Child SA, fit into 100 MB.
func TestFigureOfMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // a collector that comes seldom leaves holes between sessions, and they would count
	w, meet := crowd(t, *crowdSize)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	before := heap()
	meet()
	w.side[1].live, w.side[1].spis = nil, nil
	mb := float64(heap()-before) / (1 << 20)
	if n := len(w.side[1].m.sessions); n != *crowdSize {
		t.Fatalf("%d sessions", n)
	}
	t.Logf("FIGURE ike_%d_sas_mb %.1f", *crowdSize, mb)
	if mb > float64(*crowdSize)/100 {
		t.Errorf("%.1f MB for %d", mb, *crowdSize)
	}
	runtime.KeepAlive(w)
}
