package state

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/disk"
)

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func aTicket() ticket.Ticket {
	return ticket.Ticket{Kind: ticket.Join, Addrs: []string{"c:443"}, Pin: [32]byte{1, 2, 3}, ID: 77, Secret: key.NewSecret()}
}

// admitted is what a controller would have given a join.
func admitted(j *Joining) session.Membership {
	var nobody *certtest.Party
	c := nobody.IssueWith(j.Identity.Signer(), func(*x509.Certificate) {}).Cert.Raw
	return session.Membership{Tenant: 1, Network: 2, Node: 3, Chain: [][]byte{c, c}, Root: c, Pin: [32]byte{1, 2, 3}, Addrs: []string{"c:443"}, Record: []byte{9}}
}

// member makes a state folder with one membership and returns its path.
func member(t *testing.T) (string, *Membership) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	j, err := d.Begin(aTicket())
	if err != nil {
		t.Fatal(err)
	}
	m, err := j.Finish(admitted(j), func(m *Meta) { m.Port = 7 })
	if err != nil {
		t.Fatal(err)
	}
	return path, m
}

func only(t *testing.T, d *Dir) Found {
	t.Helper()
	all, err := d.Memberships()
	if err != nil || len(all) != 1 {
		t.Fatalf("%d memberships, %v", len(all), err)
	}
	return all[0]
}

func TestMembershipSurvivesWithKeysAndWishes(t *testing.T) {
	path, m := member(t)
	heard := time.Date(2026, 12, 1, 2, 3, 4, 0, time.UTC)
	if err := errors.Join(m.SetWanted(Down), m.SaveLast(Last{Name: "office", Port: 41641}), m.SaveMap([]byte("map\nof two lines"), heard), m.SaveAddrs([]string{"d:1"}), m.SaveHome(7)); err != nil {
		t.Fatal(err)
	}
	f := only(t, open(t, path))
	if f.Err != nil {
		t.Fatal(f.Err)
	}
	got, meta := f.Membership, f.Membership.Meta()
	if got.Identity.Public() != m.Identity.Public() || got.WG.Public() != m.WG.Public() {
		t.Fatal("other keys")
	}
	if meta.Home != 7 {
		t.Errorf("at home at %v", meta.Home)
	}
	if meta.Wanted != Down || meta.Port != 7 || meta.Last.Name != "office" || meta.JoinKey != 77 || got.Session().Learned[0] != "d:1" || got.Session().Node != 3 {
		t.Fatalf("%+v", meta)
	}
	if b, h, err := got.Map(); err != nil || string(b) != "map\nof two lines" || !h.Equal(heard) {
		t.Fatalf("map %q %v %v", b, h, err)
	}
}

func TestNobodyElseMayReadTheState(t *testing.T) {
	path, _ := member(t)
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := e.Info()
		if err == nil && i.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", p, i.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	open(t, path)
	if _, err := Open(path); !errors.Is(err, disk.ErrLocked) {
		t.Fatalf("second: %v", err)
	}
}

func TestInterruptedJoinGoesOnWithTheSameKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	d := open(t, path)
	tk := aTicket()
	first, err := d.Begin(tk)
	if err != nil {
		t.Fatal(err)
	}
	d.Close() // killed
	d = open(t, path)
	second, err := d.Begin(tk)
	if err != nil || second.Identity.Public() != first.Identity.Public() || second.WG.Public() != first.WG.Public() {
		t.Fatalf("other keys, or %v", err)
	}
	other := tk
	other.ID++
	if third, err := d.Begin(other); err != nil || third.Identity.Public() == first.Identity.Public() {
		t.Fatalf("another join key has the same identity, or %v", err)
	}
	secret := tk.Secret.Bytes()
	_ = filepath.WalkDir(path, func(p string, _ fs.DirEntry, _ error) error {
		if b, err := os.ReadFile(p); err == nil && bytes.Contains(b, secret) {
			t.Errorf("%s holds the join key's secret", p)
		}
		return nil
	})
}

// A kill can come after any of the files was written, and before and after the rename.
func TestJoinKilledAnywhereInFinishIsFinishedByTheSameKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	d := open(t, path)
	tk := aTicket()
	j, err := d.Begin(tk)
	if err != nil {
		t.Fatal(err)
	}
	s := admitted(j)
	for _, written := range []string{rootFile, chainFile, metaFile} {
		if err := disk.Write(filepath.Join(j.path, written), []byte("half")); err != nil {
			t.Fatal(err)
		}
		if all, err := d.Memberships(); err != nil || len(all) != 0 {
			t.Fatalf("half a membership shows: %v %v", all, err)
		}
		again, err := d.Begin(tk)
		if err != nil || again.Identity.Public() != j.Identity.Public() {
			t.Fatalf("after %s: other keys, or %v", written, err)
		}
	}
	if _, err := j.Finish(s, nil); err != nil {
		t.Fatal(err)
	}
	if f := only(t, d); f.Err != nil || f.Membership.Identity.Public() != j.Identity.Public() {
		t.Fatalf("%+v", f)
	}
}

func TestNetworkIsJoinedOnlyOnce(t *testing.T) {
	path, _ := member(t)
	d := open(t, path)
	other := aTicket()
	other.ID = 78
	j, err := d.Begin(other)
	if err != nil {
		t.Fatal(err)
	}
	s := admitted(j)
	if _, err := j.Finish(s, nil); !errors.Is(err, ErrMember) {
		t.Fatalf("second membership of one network: %v", err)
	}
	if err := d.Forget(s.Network); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Finish(s, nil); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsToldAndNeverRepairedWithANewIdentity(t *testing.T) {
	for _, file := range []string{identityFile, wgFile, metaFile, chainFile, rootFile} {
		path, m := member(t)
		p := filepath.Join(path, networks, m.ID.String(), file)
		if err := os.Truncate(p, 10); err != nil {
			t.Fatal(err)
		}
		d := open(t, path)
		f := only(t, d)
		if f.Err == nil || !errors.Is(f.Err, disk.ErrDamaged) || !strings.Contains(f.Err.Error(), file) {
			t.Fatalf("%s torn: %v", file, f.Err)
		}
		if left, _ := os.ReadFile(p); len(left) != 10 {
			t.Fatalf("%s was touched", file)
		}
		if err := d.Forget(f.ID); err != nil {
			t.Fatal(err)
		}
		if all, _ := d.Memberships(); len(all) != 0 {
			t.Fatal("a damaged membership cannot be forgotten")
		}
	}
}

func TestTornMetaFallsBackToTheVersionBefore(t *testing.T) {
	path, m := member(t)
	if err := m.SetWanted(Down); err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(path, networks, m.ID.String(), metaFile)
	if err := os.Truncate(p, 0); err != nil {
		t.Fatal(err)
	}
	if f := only(t, open(t, path)); f.Err != nil || f.Membership.Meta().Wanted != Up {
		t.Fatalf("%+v", f)
	}
}

func TestWishThatCouldNotBeWrittenIsWrittenWhenItIsRepeated(t *testing.T) {
	path, m := member(t)
	p := filepath.Join(path, networks, m.ID.String())
	away := p + "-away"
	if err := os.Rename(p, away); err != nil { // as good as a disk that refuses
		t.Fatal(err)
	}
	if err := m.SetWanted(Down); err == nil {
		t.Fatal("written to nowhere")
	}
	if err := os.Rename(away, p); err != nil {
		t.Fatal(err)
	}
	if err := m.SetWanted(Down); err != nil {
		t.Fatal(err)
	}
	if f := only(t, open(t, path)); f.Err != nil || f.Membership.Meta().Wanted != Down {
		t.Fatalf("%+v", f)
	}
}

func FuzzParseMap(f *testing.F) {
	f.Add(encodeMap([]byte("map"), time.Unix(0, 0)))
	f.Add([]byte(cacheHeader))
	f.Fuzz(func(t *testing.T, b []byte) {
		encoded, heard, err := parseMap(b)
		if err != nil {
			return
		}
		again, h, err := parseMap(encodeMap(encoded, heard))
		if err != nil || !bytes.Equal(again, encoded) || !h.Equal(heard) {
			t.Fatalf("%q %v: comes back as %q %v, %v", encoded, heard, again, h, err)
		}
	})
}

func TestFileOfANewerVersionIsLeftAlone(t *testing.T) {
	path, m := member(t)
	if err := m.change(func(meta *Meta) { meta.Schema = schema + 1 }); err != nil {
		t.Fatal(err)
	}
	if f := only(t, open(t, path)); f.Err == nil || !strings.Contains(f.Err.Error(), "newer version") {
		t.Fatalf("%v", f.Err)
	}
}

func TestMapThatIsDamagedIsToldFromNone(t *testing.T) {
	_, m := member(t)
	if b, _, err := m.Map(); b != nil || err != nil {
		t.Fatalf("no map: %q %v", b, err)
	}
	if err := disk.Write(filepath.Join(m.path, cacheFile), []byte("something else")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Map(); !errors.Is(err, disk.ErrDamaged) {
		t.Fatalf("foreign content: %v", err)
	}
}

func TestNothingIsLeftOfWhatIsForgotten(t *testing.T) {
	path, m := member(t)
	d := open(t, path)
	if err := d.Forget(m.ID); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(path, networks))
	if err != nil || len(left) != 0 {
		t.Fatal("the keys are still there:", left, err)
	}
}

func TestUnfinishedForgettingIsFinishedAtTheNextStart(t *testing.T) {
	path, m := member(t)
	half := filepath.Join(path, networks, forgotten+m.ID.String())
	if err := os.Rename(filepath.Join(path, networks, m.ID.String()), half); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("keys of a forgotten network are still there")
	}
}
