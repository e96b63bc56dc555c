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
		w.eventually(soon, begins.host.Name()+" is asked for a cookie and presents it", func() error {
			proven := tap.countIf(func(m message) bool { return m.kind == wg.KindInitiation && m.out && m.proven })
			if tap.count(wg.KindCookie, false) == 0 || proven == 0 {
				return errors.New(tap.String())
			}
			return nil
		})
		w.reaches(answers, begins.inner4, soon)
		if answers.kind == cvlan && w.drops(answers)["challenged"] == 0 {
			w.t.Errorf("our side does not say that it asked for cookies: %v", w.drops(answers))
		}
		w.t.Log(tap)
	})
}
