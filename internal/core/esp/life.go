package esp

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Limit is when an SA has done enough; zero values are those of DefaultLife, or no limit where that has none. Packets and bytes count in
// either direction by itself.
type Limit struct {
	Time    time.Duration
	Packets uint64
	Bytes   uint64 // of inner packets
}

// Life is how long a pair may live. At Soft another is asked for, at Hard it ends.
type Life struct{ Soft, Hard Limit }

const (
	// shortRange is how many packets an SA without extended sequence numbers seals.
	shortRange = math.MaxUint32
	// longRange is where an SA with them ends at the latest: below what any window of ours can tell apart, and far below what AES in
	// counter mode may encrypt with one key.
	longRange = 1 << 41
	// softTime and hardTime are those of most gear. jitter is how much sooner soft may come, so that the two sides, which count from the
	// same instant, do not ask at once (RFC 7296 §2.8).
	softTime = time.Hour
	hardTime = 75 * time.Minute
	jitter   = 1. / 8
	// mostTime bounds what is asked for.
	mostTime = 30 * 24 * time.Hour
)

// with fills in what is not said.
func (l Life) with(esn bool) Life {
	l.Hard.Time = orElse(l.Hard.Time, max(hardTime, l.Soft.Time/4*5))
	l.Soft.Time = orElse(l.Soft.Time, min(softTime, l.Hard.Time/5*4))
	most := uint64(longRange)
	if !esn {
		most = shortRange
	}
	l.Hard.Packets = min(orElse(l.Hard.Packets, most), most)
	l.Soft.Packets = orElse(min(l.Soft.Packets, l.Hard.Packets), l.Hard.Packets/4*3)
	l.Hard.Bytes = orElse(l.Hard.Bytes, uint64(math.MaxUint64))
	l.Soft.Bytes = orElse(l.Soft.Bytes, l.Hard.Bytes/4*3)
	return l
}

// counted reports whether bytes have to be.
func (l Life) counted() bool {
	return l.Soft.Bytes < math.MaxUint64/4*3 || l.Hard.Bytes < math.MaxUint64
}

func (l Life) check() error {
	var errs []error
	if l.Soft.Time < 0 || l.Hard.Time < 0 || l.Soft.Time > mostTime || l.Hard.Time > mostTime {
		errs = append(errs, fmt.Errorf("lifetime of %v and %v: from 0 (default) to %v are possible", l.Soft.Time, l.Hard.Time, mostTime))
	}
	if l.Hard.Time > 0 && l.Soft.Time > l.Hard.Time || l.Hard.Packets > 0 && l.Soft.Packets > l.Hard.Packets || l.Hard.Bytes > 0 && l.Soft.Bytes > l.Hard.Bytes {
		errs = append(errs, errors.New("the soft lifetime ends after the hard one"))
	}
	return errors.Join(errs...)
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
