package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/cvlan/cvlan/controller/store"
)

// queryer runs a statement that reads: the readers, a snapshot of theirs, or the writer inside its transaction.
type queryer interface {
	query(ctx context.Context, s statement, args ...any) (*sql.Rows, error)
}

// list returns all rows of a statement.
func list[T any](ctx context.Context, q queryer, scan func(*sql.Rows) (T, error), s statement, args ...any) (all []T, err error) {
	rows, err := q.query(ctx, s, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// one returns the first row of a statement, or store.ErrNotFound, bare: the caller knows what it looked for.
func one[T any](ctx context.Context, q queryer, scan func(*sql.Rows) (T, error), s statement, args ...any) (v T, err error) {
	rows, err := q.query(ctx, s, args...)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return v, err
		}
		return v, store.ErrNotFound
	}
	return scan(rows)
}

// value scans a row of one column.
func value[T any](rows *sql.Rows) (v T, err error) {
	err = rows.Scan(&v)
	return v, err
}

// micro is how an instant is stored: microseconds since 1970, zero for none.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is the reverse of micro, in UTC.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
