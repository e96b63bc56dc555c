package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	lite "modernc.org/sqlite"
)

// busyTimeout is how long a connection waits for another program that holds the database, such as a person's sqlite3.
const busyTimeout = 5 * time.Second

// dsn names a file to the driver, with what every connection needs. Paths are escaped: a folder may be named anything.
func dsn(path string, pragmas ...string) string {
	v := url.Values{}
	v.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
	v.Add("_pragma", "foreign_keys(1)")
	v.Add("_pragma", "trusted_schema(0)")
	for _, p := range pragmas {
		v.Add("_pragma", p)
	}
	path = filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		path = "/" + path // file:/C:/folder
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

// connect opens a pool of at most n connections; none is made yet.
func connect(dsn string, n int) (*sql.DB, error) {
	c, err := lite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// readers is the pool that reads. Its statements are prepared on first use and kept: there are only those of statements.go.
type readers struct {
	db     *sql.DB
	sealed bool // opened as a file that nobody changes
	mu     sync.Mutex
	stmts  map[statement]*sql.Stmt
}

func newReaders(path string, n int, sealed bool) (*readers, error) {
	name := dsn(path, "query_only(1)")
	if sealed {
		name += "&mode=ro&immutable=1"
	}
	db, err := connect(name, n)
	if err != nil {
		return nil, err
	}
	return &readers{db: db, sealed: sealed, stmts: map[statement]*sql.Stmt{}}, nil
}

func (r *readers) stmt(ctx context.Context, s statement) (*sql.Stmt, error) {
	r.mu.Lock()
	st := r.stmts[s]
	r.mu.Unlock()
	if st != nil {
		return st, nil
	}
	st, err := r.db.PrepareContext(ctx, string(s))
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.stmts[s]; other != nil {
		st.Close()
		return other, nil
	}
	r.stmts[s] = st
	return st, nil
}

func (r *readers) query(ctx context.Context, s statement, args ...any) (*sql.Rows, error) {
	st, err := r.stmt(ctx, s)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

// snapshot calls f with a queryer whose statements all see the same instant.
func (r *readers) snapshot(ctx context.Context, f func(queryer) error) error {
	tx, err := r.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(snapshot{r, tx})
}

type snapshot struct {
	r  *readers
	tx *sql.Tx
}

func (s snapshot) query(ctx context.Context, st statement, args ...any) (*sql.Rows, error) {
	return s.tx.QueryContext(ctx, string(st), args...)
}

func (r *readers) close() error { return r.db.Close() }

// conn is the connection that writes. It belongs to one goroutine, which runs every statement to its end: contexts end
// between statements, never within one.
type conn struct {
	db    *sql.DB
	c     *sql.Conn
	stmts map[statement]*sql.Stmt
}

func newConn(ctx context.Context, path string) (*conn, error) {
	db, err := connect(dsn(path, "synchronous(FULL)", "temp_store(MEMORY)"), 1) // what savepoints set aside is no file
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	w := &conn{db: db, c: c, stmts: map[statement]*sql.Stmt{}}
	var mode string
	if err := c.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if mode != "wal" {
		return nil, errors.Join(fmt.Errorf("its file system cannot share memory (journal mode %s); use a local disk", mode), w.close())
	}
	return w, nil
}

func (c *conn) stmt(s statement) (*sql.Stmt, error) {
	if st := c.stmts[s]; st != nil {
		return st, nil
	}
	st, err := c.c.PrepareContext(context.Background(), string(s))
	if err != nil {
		return nil, err
	}
	c.stmts[s] = st
	return st, nil
}

func (c *conn) query(_ context.Context, s statement, args ...any) (*sql.Rows, error) {
	st, err := c.stmt(s)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(context.Background(), args...)
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(s statement, args ...any) (int64, error) {
	st, err := c.stmt(s)
	if err != nil {
		return 0, err
	}
	r, err := st.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (c *conn) close() error {
	for _, st := range c.stmts {
		st.Close()
	}
	return errors.Join(c.c.Close(), c.db.Close())
}
