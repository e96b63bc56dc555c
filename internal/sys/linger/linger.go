// Package linger lets a worker that found nothing to read look a few times more, behind whoever else wants the processor, before it sleeps.
//
// To sleep and to be woken costs more than to look: two system calls of the poller, two changes of task, and on a virtual machine often an
// exit to its host. Where processors are busy, who runs meanwhile is likely to bring the next packets: acknowledgements come in before
// anybody slept, and more of them at once. Where a processor is free the looks follow each other within some 20 µs, and mostly see nothing; a worker that
// was disappointed gives it up, and tries it again now and then.
package linger

const (
	// looks is how often a worker looks before it sleeps.
	looks = 20
	// most bounds trust: so many disappointments, halved, end it.
	most = 8
	// seldom is how many times a worker without trust sleeps at once before it lingers again.
	seldom = 32
)

// Linger is the state of one worker, which calls its methods alone. The zero value has no trust yet.
type Linger struct {
	looked int // since something was found
	trust  int // that lingering pays: one more where it did, two less where it did not
	slept  int // at once, for want of trust
}

// Again is called when nothing was there. It reports whether to look once more, after it has let others run; if not, the worker is to sleep.
func (l *Linger) Again() bool {
	switch {
	case l.looked == looks:
		l.looked, l.slept, l.trust = 0, 0, max(l.trust-2, 0)
		return false
	case l.looked == 0 && l.trust == 0 && l.slept < seldom:
		l.slept++
		return false
	}
	l.looked++
	yield()
	return true
}

// Found is called when something was there.
func (l *Linger) Found() {
	if l.looked == 0 {
		return
	}
	l.looked, l.slept, l.trust = 0, 0, min(l.trust+1, most)
}
