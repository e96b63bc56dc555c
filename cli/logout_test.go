package cli

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

// The daemon answers when the controller has, or when it has given it up; who does not wait as long is told that it goes on.
func TestALogoutThatTakesTooLongSaysWhoIsWaitedFor(t *testing.T) {
	e, ok := errors.AsType[*iox.Error](impatient(fmt.Errorf("ask: %w", local.ErrLate)))
	if !ok || e.Exit != iox.Timeout || e.Why != "the controller did not answer the daemon within --timeout" || e.Hint == "" {
		t.Errorf("%+v", e)
	}
	if err := impatient(io.EOF); err != io.EOF {
		t.Error(err)
	}
	if err := impatient(nil); err != nil {
		t.Error(err)
	}
}
