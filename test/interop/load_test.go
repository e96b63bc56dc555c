//go:build interop && linux

package interop

import (
	"errors"
	"testing"

	"github.com/cvlan/cvlan/internal/core/wg"
)

// Who answers is under load: theirs when we begin, ours when they do.
func TestACookieGetsThroughACrowd(t *testing.T) {
	each(t, bothBegin, func(w *world, v variant) {
		begins, answers := w.order(v.first)
		tap := w.tap(begins, answers)
		crowd := w.crowdAt(answers)
		w.eventually(soon, answers.host.Name()+" asks the crowd for cookies", func() error {
			if crowd.cookies.Load() == 0 {
				return errors.New("it does not")
			}
			return nil
		})
		w.introduce(begins, answers, peerOptions{})
		w.reaches(begins, answers.inner4, 3*retried)
		if tap.count(wg.KindCookie, false) == 0 {
			w.t.Errorf("%s was not asked for a cookie: %v", begins.host.Name(), tap)
		}
		if tap.countIf(func(m message) bool { return m.kind == wg.KindInitiation && m.out && m.proven }) == 0 {
			w.t.Errorf("%s presented no cookie: %v", begins.host.Name(), tap)
		}
		w.reaches(answers, begins.inner4, soon)
		w.t.Log(tap)
	})
}
