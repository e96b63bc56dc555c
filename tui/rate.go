package tui

import "time"

const (
	// remembered is how many samples of a peer's traffic are kept.
	remembered = 120
	// sampleAfter is the least time between two samples: shorter ones are noise.
	sampleAfter = 700 * time.Millisecond
)

// meter turns counters into rates, in bytes a second.
type meter struct {
	at      time.Time
	rx, tx  uint64
	in, out float64
	samples []float64 // of both directions together, oldest first; nil while there was no traffic
}

// take takes in a reading. Counters that went back were reset.
func (m *meter) take(at time.Time, rx, tx uint64) {
	span := at.Sub(m.at)
	if !m.at.IsZero() && span < sampleAfter {
		return
	}
	first := m.at.IsZero()
	in, out := forth(m.rx, rx), forth(m.tx, tx)
	m.at, m.rx, m.tx = at, rx, tx
	if first {
		return
	}
	m.in, m.out = in/span.Seconds(), out/span.Seconds()
	if m.samples == nil && m.in+m.out == 0 {
		return
	}
	if len(m.samples) == remembered {
		copy(m.samples, m.samples[1:])
		m.samples = m.samples[:remembered-1]
	}
	m.samples = append(m.samples, m.in+m.out)
}

func forth(from, to uint64) float64 {
	if to < from {
		return 0
	}
	return float64(to - from)
}

func (m *meter) sum() float64 { return m.in + m.out }
