package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/cvlan/cvlan/controller/store/sqlite"
)

// Check looks whether the database of a data folder is whole, of a version that this program knows, and with audit trails as they
// were written, and says what is in it. It changes nothing; the controller may be running.
func Check(ctx context.Context, cfg Config) (string, error) {
	r, err := sqlite.Inspect(ctx, cfg.Data)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("settings: fine\ndatabase: %s", r), nil
}

// Backup writes a consistent copy of the database to path, which must not exist; the controller may be running.
func Backup(ctx context.Context, cfg Config, path string) error {
	return sqlite.BackupFile(ctx, cfg.Data, path)
}

// Restore puts a backup in the place of the database and says what it did; the controller must not be running.
func Restore(ctx context.Context, cfg Config, path string) (string, error) {
	r, err := sqlite.Restore(ctx, path, cfg.Data, now(cfg))
	if err != nil {
		return "", err
	}
	return r.String(), nil
}

func now(cfg Config) time.Time {
	if cfg.Now != nil {
		return cfg.Now()
	}
	return time.Now()
}
