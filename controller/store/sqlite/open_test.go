package sqlite

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/sys/disk"
)

// settle makes a tenant with an open key in a store.
func settle(t testing.TB, s *Store) (store.Handle, store.Network, store.JoinKey, key.Secret) {
	t.Helper()
	id := ident.New[ident.Tenant]()
	_, err := s.CreateTenant(t.Context(), "test", "t"+strings.ToLower(id.String()), store.Authority{Tenant: id, Certificate: []byte{1}, Key: []byte{2}}, id)
	if err != nil {
		t.Fatal(err)
	}
	h := s.For(id)
	n, err := h.CreateNetwork(t.Context(), "test", store.Network{Name: "office"}, false)
	if err != nil {
		t.Fatal(err)
	}
	secret := key.NewSecret()
	k, err := h.CreateJoinKey(t.Context(), "test", store.JoinKey{Network: n.ID, Hash: secret.Hash()})
	if err != nil {
		t.Fatal(err)
	}
	return h, n, k, secret
}

// machine is an admission with fresh keys, which the store never looks into.
func machine(k store.JoinKey, s key.Secret) store.Admission {
	a := store.Admission{Key: k.ID, Secret: s, Wish: "web"}
	x, y := key.NewSecret(), key.NewSecret()
	a.Identity[0] = 2
	copy(a.Identity[1:], x.Bytes())
	copy(a.WG[:], y.Bytes())
	return a
}

func TestWhatWasWrittenIsThereAfterARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data ü?#%20") // a name that a URI would trip over
	s := openTest(t, Config{Dir: dir})
	h, n, k, secret := settle(t, s)
	node, err := h.Admit(t.Context(), machine(k, secret))
	if err != nil {
		t.Fatal(err)
	}
	meta := s.Meta()
	tenant, err := h.Tenant(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, fileName+"-wal")); err == nil {
		t.Error("a clean end leaves a log")
	}
	s = openTest(t, Config{Dir: dir})
	if s.Meta() != meta || meta.Controller.IsZero() || meta.TrustDomain == "" || meta.Epoch == 0 {
		t.Errorf("%+v, want %+v", s.Meta(), meta)
	}
	h = s.For(tenant.ID)
	if got, err := h.Node(t.Context(), node.ID); err != nil || got.Address4 != node.Address4 || got.Network != n.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if next, err := h.Admit(t.Context(), machine(k, secret)); err != nil || next.Address4 != node.Address4.Next() || next.Name != "web-2" {
		t.Errorf("%+v, %v", next, err)
	}
}

func TestASecondControllerIsRefused(t *testing.T) {
	dir := t.TempDir()
	openTest(t, Config{Dir: dir})
	if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, disk.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
}

func TestAForeignFileIsNotTouched(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	db, err := connect(dsn(foreign), 1)
	if err == nil {
		_, err = db.Exec("CREATE TABLE precious (x)")
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"no SQLite file": []byte("dear diary"), "another program": other, "its beginning is damaged": bytes.Repeat([]byte{0}, 4096)} {
		dir := t.TempDir()
		path := filepath.Join(dir, fileName)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), Config{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
	}
}

func TestTheDatabaseIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no permission bits on Windows")
	}
	dir := filepath.Join(t.TempDir(), "data")
	s := openTest(t, Config{Dir: dir})
	settle(t, s)
	for name, want := range map[string]os.FileMode{"": 0o700, fileName: 0o600, fileName + "-wal": 0o600, fileName + "-shm": 0o600, lockName: 0o600, ballastName: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v, %v; want %v", name, info.Mode().Perm(), err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, fileName), 0o644); err != nil {
		t.Fatal(err)
	}
	openTest(t, Config{Dir: dir})
	if info, err := os.Stat(filepath.Join(dir, fileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("opened at %v, %v", info.Mode(), err)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: open}); err == nil || !strings.Contains(err.Error(), "others may write") {
		t.Errorf("a folder for everybody: %v", err)
	}
}

// A damaged database is told from a good one, or read as far as it goes; it never brings the program down.
func TestADamagedDatabaseIsNotServed(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, Config{Dir: dir})
	h, _, k, secret := settle(t, s)
	for range 200 { // most pages hold something
		if _, err := h.Admit(t.Context(), machine(k, secret)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	found := 0
	const seeds = 30
	for range seeds {
		bad := bytes.Clone(good)
		at := r.IntN(len(bad)-256-headerSize) + headerSize
		for i := range 256 {
			bad[at+i] = byte(r.Uint32())
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			found++
			if strings.Contains(err.Error(), "damaged") != strings.Contains(err.Error(), "restore") {
				t.Errorf("no hint: %v", err)
			}
			continue
		}
		s.Close()
	}
	if found < seeds/3 {
		t.Errorf("%d of %d damages were found", found, seeds)
	}
	if err := os.WriteFile(path, good[:len(good)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); err == nil {
		t.Error("half a database is served")
	}
}

// The whole store lives in a bubble: its clock is the bubble's, and when it is closed nothing of it runs on.
func TestNothingRunsOnAfterClose(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		h, _, k, secret := settle(t, s)
		time.Sleep(24 * time.Hour)
		before := time.Now()
		n, err := h.Admit(t.Context(), machine(k, secret))
		if err != nil || !n.Created.Equal(before) {
			t.Errorf("made at %v, want %v: %v", n.Created, before, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := h.Load(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
