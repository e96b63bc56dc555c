package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/sys/disk"
)

func TestABackupIsWholeWhileTheStoreIsBusy(t *testing.T) {
	s := openTest(t, Config{Dir: t.TempDir()})
	h, _, k, secret := settle(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := h.Admit(ctx, machine(k, secret)); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "backup.db")
	if err := s.Backup(t.Context(), path); err != nil {
		t.Error(err)
	}
	err := s.Backup(t.Context(), path)
	if !errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), "never overwrites") {
		t.Errorf("over another: %v", err)
	}
	if err := s.Backup(ctx, filepath.Join(dir, "nowhere", "b.db")); err == nil {
		t.Error("into a folder that is not there")
	}
	cancel()
	wg.Wait()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	tenant, err := h.Tenant(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	r, err := Restore(t.Context(), path, other, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := openTest(t, Config{Dir: other}).For(tenant.ID).Load(t.Context())
	if err != nil || l.Tenant.Hard > tenant.Hard || r.Nodes != len(l.Nodes) || uint64(len(l.Nodes)) != l.Tenant.Hard-2 {
		t.Errorf("%d nodes at %d of %d, restored %+v: %v", len(l.Nodes), l.Tenant.Hard, tenant.Hard, r, err)
	}
}

func TestARestoreStartsANewEpochAndKeepsTheOld(t *testing.T) {
	dir, backups := t.TempDir(), t.TempDir()
	s := openTest(t, Config{Dir: dir})
	h, _, k, secret := settle(t, s)
	tenant, err := h.Tenant(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(backups, "b.db")
	if err := s.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Admit(t.Context(), machine(k, secret)); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), backup, dir, time.Now()); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("under a controller that runs: %v", err)
	}
	before := s.Meta()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	first, err := Restore(t.Context(), backup, dir, now)
	if err != nil {
		t.Fatal(err)
	}
	if first.Meta.Epoch < uint64(now.Unix()) || first.Before != before.Epoch || first.Meta.Controller != before.Controller || first.Tenants != 1 || first.Nodes != 0 {
		t.Errorf("%+v", first)
	}
	if text := first.String(); !strings.Contains(text, first.Kept) || !strings.Contains(text, ": 1 tenant, 0 nodes;") {
		t.Error(text)
	}
	second, err := Restore(t.Context(), backup, dir, now) // the clock stands still, and the backup's epoch is the old one
	if err != nil || second.Meta.Epoch <= first.Meta.Epoch || second.Kept == first.Kept {
		t.Errorf("%+v after %+v: %v", second, first, err)
	}
	s = openTest(t, Config{Dir: dir})
	if n, err := s.For(tenant.ID).Nodes(t.Context(), 0); err != nil || len(n) != 0 || s.Meta() != second.Meta {
		t.Errorf("%v, %v; %+v", n, err, s.Meta())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	back, err := Restore(t.Context(), first.Kept, dir, now)
	if err != nil || back.Nodes != 1 || back.Meta.Epoch <= second.Meta.Epoch {
		t.Errorf("going back to what was kept: %+v, %v", back, err)
	}
}

func TestABadBackupChangesNothing(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, Config{Dir: dir})
	settle(t, s)
	good := filepath.Join(t.TempDir(), "good.db")
	if err := s.Backup(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	meta := s.Meta()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte(nil), content...)
	for i := 5000; i < 9000; i++ {
		damaged[i] ^= 0x5a
	}
	for name, b := range map[string][]byte{"empty": nil, "text": []byte("dear diary"), "half": content[:len(content)/2], "damaged": damaged} {
		bad := filepath.Join(t.TempDir(), "bad.db")
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := Restore(t.Context(), bad, dir, time.Now()); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if _, err := Restore(t.Context(), filepath.Join(dir, "nothing"), dir, time.Now()); err == nil {
		t.Error("from a file that is not there")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*rest*"))
	if err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if s := openTest(t, Config{Dir: dir}); s.Meta() != meta {
		t.Errorf("%+v, want %+v", s.Meta(), meta)
	}
}

// What a killed controller left in its log is kept with the old database, and never comes near the restored one.
func TestARestoreOverAnUncleanEndIsClean(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	s := openTest(t, Config{Dir: dir})
	h, _, k, secret := settle(t, s)
	backup := filepath.Join(t.TempDir(), "b.db")
	if err := s.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := h.Admit(t.Context(), machine(k, secret)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{fileName, fileName + "-wal"} { // as after kill -9
		if err := copyFile(filepath.Join(copied, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Restore(t.Context(), backup, copied, time.Now())
	if err != nil || r.Nodes != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if s := openTest(t, Config{Dir: copied}); s.Meta() != r.Meta {
		t.Errorf("%+v, want %+v", s.Meta(), r.Meta)
	}
	third := t.TempDir()
	if r, err := Restore(t.Context(), r.Kept, third, time.Now()); err != nil || r.Nodes != 20 {
		t.Errorf("what was kept: %+v, %v", r, err)
	}
}

// The log of a database that cannot even be opened is put aside with it: beside the restored one it would destroy that.
func TestARestoreOverAWreckPutsItsLogAside(t *testing.T) {
	dir, wreck := t.TempDir(), t.TempDir()
	s := openTest(t, Config{Dir: dir})
	settle(t, s)
	backup := filepath.Join(t.TempDir(), "b.db")
	if err := s.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(wreck, fileName)
	if err := copyFile(path+"-wal", filepath.Join(dir, fileName+"-wal")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("wreck"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Restore(t.Context(), backup, wreck, time.Now())
	if err != nil || r.Before != 0 || r.Tenants != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if content, err := os.ReadFile(r.Kept); err != nil || string(content) != "wreck" {
		t.Errorf("kept %q, %v", content, err)
	}
	if _, err := os.Stat(r.Kept + "-wal"); err != nil {
		t.Errorf("the log was not kept: %v", err)
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("the log is still beside the new database")
	}
	if s := openTest(t, Config{Dir: wreck}); s.Meta() != r.Meta {
		t.Errorf("%+v, want %+v", s.Meta(), r.Meta)
	}
}

// withANode is the folder of a store that has closed, with a tenant and a node in it.
func withANode(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := openTest(t, Config{Dir: dir})
	h, _, k, secret := settle(t, s)
	if _, err := h.Admit(t.Context(), machine(k, secret)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestABackupOfARunningControllersFolder(t *testing.T) {
	dir := withANode(t)
	r, err := Inspect(t.Context(), dir)
	if err != nil || r.Nodes != 1 || r.Tenants != 1 || r.Events < 4 || !strings.Contains(r.String(), "is whole") {
		t.Errorf("%+v, %v", r, err)
	}
	path := filepath.Join(t.TempDir(), "b.db")
	if err := BackupFile(t.Context(), dir, path); err != nil {
		t.Fatal(err)
	}
	if err := verify(t.Context(), path, "integrity_check"); err != nil {
		t.Error(err)
	}
	if _, err := Inspect(t.Context(), t.TempDir()); err == nil {
		t.Error("an empty folder is whole")
	}
}
