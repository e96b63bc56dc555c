package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
)

// ladder is a history of a schema that never was: every step changes what the one before has made.
func ladder(n int) (steps []migration) {
	all := []string{
		`CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1), (2), (3)`,
		`ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 10`,
		`UPDATE a SET y = x * 2`,
		`CREATE TABLE b AS SELECT x + y AS z FROM a; DROP TABLE a`,
		`INSERT INTO b VALUES (100)`,
	}
	for i, sql := range all[:n] {
		steps = append(steps, migration{fmt.Sprintf("%04d_step", i+1), sql})
	}
	return steps
}

func climb(t *testing.T, path string, steps []migration) (int, error) {
	t.Helper()
	c, err := newConn(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	return migrate(t.Context(), c.c, steps, time.Unix(1, 0))
}

// databaseAt makes a database as it was after the first steps, with what sql puts in, and returns its folder.
func databaseAt(t *testing.T, n int, sql string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	if err := create(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if _, err := climb(t, path, steps[:n]); err != nil {
		t.Fatal(err)
	}
	c, err := newConn(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.c.ExecContext(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sum adds up table b.
func sum(t *testing.T, path string) (z int) {
	t.Helper()
	c, err := newConn(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.c.QueryRowContext(t.Context(), "SELECT sum(z) FROM b").Scan(&z); err != nil {
		t.Fatal(err)
	}
	return z
}

func TestAnyVersionComesUpToAnyLaterOne(t *testing.T) {
	for from := range 6 {
		path := filepath.Join(t.TempDir(), "x.db")
		for _, c := range []struct{ to, steps int }{{from, from}, {5, 5 - from}, {5, 0}} {
			if n, err := climb(t, path, ladder(c.to)); err != nil || n != c.steps {
				t.Fatalf("by way of %d to %d: %d steps, %v; want %d", from, c.to, n, err, c.steps)
			}
		}
		if z := sum(t, path); z != 118 {
			t.Errorf("by way of %d: %d, want 118", from, z)
		}
	}
}

func TestAFailedStepIsNotTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	steps := ladder(5)
	steps[3].sql = `CREATE TABLE b (z INTEGER); SELECT * FROM nowhere`
	n, err := climb(t, path, steps)
	if n != 3 || err == nil || !strings.Contains(err.Error(), "0004_step") || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%d steps, %v", n, err)
	}
	if n, err := climb(t, path, ladder(5)); n != 2 || err != nil {
		t.Errorf("after the repair: %d steps, %v", n, err)
	}
	if z := sum(t, path); z != 118 {
		t.Errorf("%d, want 118", z)
	}
}

func TestANewerOrAlienSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if _, err := climb(t, path, ladder(5)); err != nil {
		t.Fatal(err)
	}
	_, err := climb(t, path, ladder(3))
	if !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "number 5") || !strings.Contains(err.Error(), "up to 3") {
		t.Errorf("an older program: %v", err)
	}
	changed := ladder(5)
	changed[1].sql += " "
	if _, err := climb(t, path, changed); err == nil || !strings.Contains(err.Error(), "step 2") {
		t.Errorf("a changed step: %v", err)
	}
}

func TestAStoreOfANewerProgramIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := openTest(t, Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := climb(t, filepath.Join(dir, fileName), append(steps, migration{"9999_future", "CREATE TABLE future (x INTEGER)"})); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s, err := Open(context.Background(), Config{Dir: dir})
	if !errors.Is(err, store.ErrNewer) {
		t.Errorf("%v, %v", s, err)
	}
	if s, err := Open(context.Background(), Config{Dir: dir}); !errors.Is(err, store.ErrNewer) {
		t.Errorf("the lock was not given back: %v, %v", s, err)
	}
}
