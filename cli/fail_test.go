package cli

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/cvlan/cvlan/cli/iox"
)

func TestAFileThatThisUserMayNotReadSaysWhatToDo(t *testing.T) {
	err := readFault("read the key file", "join.key", &fs.PathError{Op: "open", Path: "join.key", Err: fs.ErrPermission})
	e, ok := errors.AsType[*iox.Error](err)
	if !ok || e.Exit != iox.Permission || e.Error() != "read the key file join.key: permission denied" || e.Hint != "use sudo, or name a file that this user may read" {
		t.Errorf("%+v", err)
	}
}
