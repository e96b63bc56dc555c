package sqlite

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/controller/audit"
)

// Whatever somebody does to the file behind the controller's back, the check of it tells.
func TestATrailThatWasChangedIsFound(t *testing.T) {
	for what, change := range map[string]string{
		"another actor":     `UPDATE event SET actor = 'nobody' WHERE seq = 2`,
		"one removed":       `DELETE FROM event WHERE seq = 2`,
		"the newest cut":    `DELETE FROM event WHERE (tenant, seq) IN (SELECT tenant, max(seq) FROM event GROUP BY tenant)`,
		"all of them":       `DELETE FROM event`,
		"one of the future": `UPDATE event SET seq = seq + 1 WHERE (tenant, seq) IN (SELECT tenant, max(seq) FROM event GROUP BY tenant)`,
	} {
		dir := withANode(t)
		db, err := sql.Open("sqlite", filepath.Join(dir, fileName))
		if err != nil {
			t.Fatal(err)
		}
		done, err := db.Exec(change)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if n, _ := done.RowsAffected(); n == 0 {
			t.Fatalf("%s: nothing is changed", what)
		}
		if _, err := Inspect(t.Context(), dir); !errors.Is(err, audit.ErrBroken) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
