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
	unsure  bool // the last reading was lower than the one before it
	in, out float64
	samples []float64 // of both directions together, oldest first; nil while there was no traffic
}

// take takes in a reading. Counters that went back were reset, or the reading was late and an older one than the last: then neither it nor
// the step from it to the next one says anything about the traffic.
func (m *meter) take(at time.Time, rx, tx uint64) {
	span := at.Sub(m.at)
	if !m.at.IsZero() && span < sampleAfter {
		return
	}
	unsure, back := m.at.IsZero() || m.unsure, rx < m.rx || tx < m.tx
	in, out := float64(rx-m.rx), float64(tx-m.tx)
	m.at, m.rx, m.tx, m.unsure = at, rx, tx, back
	if unsure || back {
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

func (m *meter) sum() float64 { return m.in + m.out }
