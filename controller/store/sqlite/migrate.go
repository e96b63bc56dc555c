package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/version"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema. Steps are numbered from 1 without gaps and never change once released.
type migration struct {
	name string // its file's, without the suffix
	sql  string
}

func (m migration) sum() []byte {
	s := sha256.Sum256([]byte(m.sql))
	return s[:]
}

// migrations returns the embedded steps in order.
func migrations() ([]migration, error) {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	var all []migration
	for i, f := range files {
		text, err := migrationFiles.ReadFile(f)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(f, "migrations/"), ".sql")
		if n, _, _ := strings.Cut(name, "_"); n != fmt.Sprintf("%04d", i+1) {
			return nil, fmt.Errorf("migration %s: want number %d", name, i+1)
		}
		all = append(all, migration{name, string(text)})
	}
	return all, nil
}

const createSchema = `CREATE TABLE IF NOT EXISTS schema (
	version  INTEGER NOT NULL PRIMARY KEY,
	name     TEXT    NOT NULL,
	checksum BLOB    NOT NULL,
	at       INTEGER NOT NULL,
	program  TEXT    NOT NULL
) STRICT`

// applied is a row of the schema table: a step that a database has taken, and which program took it.
type applied struct {
	version  int
	name     string
	checksum []byte
	program  string
}

// asker is a *sql.DB or a *sql.Conn.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// history returns the steps that a database has taken; none when it is new.
func history(ctx context.Context, db asker) ([]applied, error) {
	var exists bool
	if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema')`).Scan(&exists); err != nil || !exists {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, `SELECT version, name, checksum, program FROM schema ORDER BY version`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []applied
	for rows.Next() {
		var a applied
		if err := rows.Scan(&a.version, &a.name, &a.checksum, &a.program); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// pending returns the steps that a database has yet to take, or says why it is not one of ours to go on with.
func pending(done []applied, steps []migration) ([]migration, error) {
	if n := len(done); n > len(steps) {
		return nil, fmt.Errorf("%w: its schema has number %d (by %s), this program (%s) knows up to %d; run the newer program, or restore a backup from before the upgrade",
			store.ErrNewer, done[n-1].version, done[n-1].program, version.Get().Version, len(steps))
	}
	for i, a := range done {
		if a.version != i+1 || !bytes.Equal(a.checksum, steps[i].sum()) {
			return nil, fmt.Errorf("its schema's step %d (%s, by %s) is not this program's (%s); was it made by a development build? restore a backup of a released one",
				a.version, a.name, a.program, steps[i].name)
		}
	}
	return steps[len(done):], nil
}

// migrate takes every pending step, each in a transaction of its own: interrupted at any moment, it goes on where it was.
func migrate(ctx context.Context, c *sql.Conn, steps []migration, now time.Time) (taken int, err error) {
	done, err := history(ctx, c)
	if err != nil {
		return 0, err
	}
	todo, err := pending(done, steps)
	if err != nil {
		return 0, err
	}
	for i, m := range todo {
		if err := step(ctx, c, len(done)+i+1, m, now); err != nil {
			return i, fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	return len(todo), nil
}

func step(ctx context.Context, c *sql.Conn, n int, m migration, now time.Time) error {
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := func() error {
		for _, text := range []string{createSchema, m.sql} {
			if _, err := c.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		if _, err := c.ExecContext(ctx, `INSERT INTO schema (version, name, checksum, at, program) VALUES (?, ?, ?, ?, ?)`,
			n, m.name, m.sum(), micro(now), version.Get().Version); err != nil {
			return err
		}
		_, err := c.ExecContext(ctx, "COMMIT")
		return err
	}()
	if err != nil {
		_, undo := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		if undo != nil && !strings.Contains(undo.Error(), "no transaction is active") {
			err = errors.Join(err, undo)
		}
	}
	return err
}

// describe says which schema a database has, for people.
func describe(done []applied) string {
	if len(done) == 0 {
		return "no schema"
	}
	return "schema " + strconv.Itoa(done[len(done)-1].version)
}
