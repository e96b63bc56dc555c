package stream

import "time"

const (
	// patience is how long a peer may take to give a sign of life once it was asked for one. By then it was asked three times over TCP, and more often over QUIC, so that a
	// lossy line is not silent. Nothing is given up for that: to come back is dear where a hundred thousand do it.
	patience = 8 * time.Second
	// lookAgain is how often a silent peer is looked at. Nothing is sent for it.
	lookAgain = time.Second
)

// watch tells an owner once when a peer falls silent, and once when it is back.
type watch struct {
	tell   func(since time.Time) // nil: nobody
	silent bool
}

// found takes what was found, and since when it would be so. It returns silent.
func (w *watch) found(silent bool, since time.Time) bool {
	if silent != w.silent && w.tell != nil {
		if !silent {
			since = time.Time{}
		}
		w.tell(since)
	}
	w.silent = silent
	return silent
}

// probes looks at what the system's keepalives of TCP have come to, until the stream is over. age is for how long the peer has sent nothing, and whether that is known.
func (w *watch) probes(over <-chan struct{}, age func() (time.Duration, bool)) {
	const most = clientIdle + patience
	look := time.NewTimer(most)
	defer look.Stop()
	for {
		select {
		case now := <-look.C:
			quiet, known := age()
			if !known {
				return
			}
			if w.found(quiet >= most, now.Add(clientIdle-quiet)) {
				look.Reset(lookAgain)
			} else {
				look.Reset(most - quiet)
			}
		case <-over:
			return
		}
	}
}
