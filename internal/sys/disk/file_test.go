package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := Write(path, []byte(content)); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, path, content string, from Copy) {
	t.Helper()
	got, c, err := Read(path)
	if err != nil || string(got) != content || c != from {
		t.Fatalf("read %q from copy %q: %v; want %q from %q", got, c, err, content, from)
	}
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for i, content := range []string{"first", "", "second\n", strings.Repeat("x", 1<<20)} {
		write(t, path, content)
		expect(t, path, content, Main)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("version %d: %v, mode %v", i, err, info.Mode())
		}
	}
	if _, err := os.Stat(path + ".tmp"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the temporary file is still there: %v", err)
	}
}

func TestNothingThereIsToldFromEverythingDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if _, _, err := Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	os.WriteFile(path, nil, 0o600)
	if _, _, err := Read(path); !errors.Is(err, ErrDamaged) || errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("empty file: %v", err)
	}
}

func TestTornAtAnyOffsetTheVersionBeforeIsUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	write(t, path, "old")
	write(t, path, "the new version")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		os.WriteFile(path, whole[:n], 0o600)
		expect(t, path, "old", Prev)
	}
	for i := range whole {
		rotten := bytes.Clone(whole)
		rotten[i] ^= 0x10
		os.WriteFile(path, rotten, 0o600)
		expect(t, path, "old", Prev)
	}
	os.WriteFile(path, append(whole, 'x'), 0o600)
	expect(t, path, "old", Prev)
}

func TestTornWriteAtAnyOffsetLeavesTheOldVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	write(t, path, "old")
	next := append([]byte("new"), seal([]byte("new"))...)
	for n := range len(next) + 1 {
		os.WriteFile(path+".tmp", next[:n], 0o600)
		expect(t, path, "old", Main)
	}
	write(t, path, "newer") // goes on, whatever lies there
	expect(t, path, "newer", Main)
}

// A crash between the two renames leaves no main copy, the new version beside it and the old one as previous.
func TestPowerCutBetweenTheRenamesGivesTheNewVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	write(t, path, "old")
	os.Rename(path, path+".prev")
	if err := writeDurable(path+".tmp", []byte("new")); err != nil {
		t.Fatal(err)
	}
	expect(t, path, "new", Temp)
	write(t, path, "newer")
	expect(t, path, "newer", Main)
	os.Truncate(path, 3)
	expect(t, path, "new", Prev)
}

func TestDamagedCopyNeverDisplacesAGoodOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	write(t, path, "good")
	write(t, path, "bad soon")
	os.Truncate(path, 2)
	write(t, path, "new")
	os.Truncate(path, 2)
	expect(t, path, "good", Prev)
}

func TestRemoveLeavesNoCopyToComeBack(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	write(t, path, "one")
	write(t, path, "two")
	os.WriteFile(path+".tmp", []byte("x"), 0o600)
	for range 2 {
		if err := Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Fatalf("left: %v", left)
	}
}

func TestFileThatOthersMayReadIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "private")
	if err := Folder(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "key")
	write(t, path, "secret")
	os.Chmod(path, 0o644)
	_, _, err := Read(path)
	if !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "chmod it to 0600") {
		t.Fatalf("readable by all: %v", err)
	}
	os.Chmod(dir, 0o755)
	if err := Folder(dir); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "0700") {
		t.Fatalf("folder open to all: %v", err)
	}
}

func TestFileOfSomebodyElseIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, "secret")
	os.Chown(path, 12345, 12345)
	if _, _, err := Read(path); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "12345") {
		t.Fatalf("somebody else's: %v", err)
	}
}

func TestPemStaysPem(t *testing.T) {
	const block = "-----BEGIN X-----\nAAAA\n-----END X-----\n"
	path := filepath.Join(t.TempDir(), "x.pem")
	write(t, path, block)
	raw, _ := os.ReadFile(path)
	if want := fmt.Sprintf("%s\n#sha256 ", block); !strings.HasPrefix(string(raw), want) {
		t.Fatalf("on disk: %q", raw)
	}
}

func FuzzUnseal(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(seal(nil))
	f.Add(append([]byte("content"), seal([]byte("content"))...))
	f.Fuzz(func(t *testing.T, whole []byte) {
		content, ok := unseal(whole)
		if ok && !bytes.Equal(append(bytes.Clone(content), seal(content)...), whole) {
			t.Fatal("accepted what seal does not make")
		}
		if got, ok := unseal(append(bytes.Clone(whole), seal(whole)...)); !ok || !bytes.Equal(got, whole) {
			t.Fatal("refused what seal makes")
		}
	})
}
