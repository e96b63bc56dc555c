package hostdns

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/cvlan/cvlan/internal/sys/disk"
)

// JournalName is the journal's file in the state folder.
const JournalName = "dns.journal"

const journalVersion = 1

// touched is a file that has lines of ours, or was about to get them.
type touched struct {
	Path string `json:"path"`
	Made bool   `json:"made,omitempty"` // there was none before
}

// journal is on the disk whatever it says. Its owner is the lock.
type journal struct {
	path  string // "": nothing is kept, and no file may be touched
	files []touched
}

type journalFile struct {
	Version int       `json:"version"`
	Files   []touched `json:"files"`
}

func newJournal(folder string) journal {
	if folder == "" {
		return journal{}
	}
	return journal{path: filepath.Join(folder, JournalName)}
}

func (j *journal) load() error {
	if j.path == "" {
		return nil
	}
	var f journalFile
	if found, err := disk.ReadJSON(j.path, &f); !found {
		return err
	}
	if f.Version != journalVersion {
		return fmt.Errorf("read %s: written by another version (%d, this one knows %d); start that version once, stop it, and try again", j.path, f.Version, journalVersion)
	}
	j.files = f.Files
	return nil
}

func (j *journal) has(path string) (touched, bool) {
	i := slices.IndexFunc(j.files, func(t touched) bool { return t.Path == path })
	if i < 0 {
		return touched{}, false
	}
	return j.files[i], true
}

// note says that a file is about to be touched.
func (j *journal) note(t touched) error {
	if _, ok := j.has(t.Path); ok {
		return nil
	}
	if j.path == "" {
		return errors.New("there is no state folder")
	}
	j.files = append(j.files, t)
	if err := j.save(); err != nil {
		j.files = j.files[:len(j.files)-1]
		return err
	}
	return nil
}

func (j *journal) forget(path string) error {
	j.files = slices.DeleteFunc(j.files, func(t touched) bool { return t.Path == path })
	return j.save()
}

func (j *journal) save() error {
	if len(j.files) == 0 {
		return disk.Remove(j.path)
	}
	b, err := json.MarshalIndent(journalFile{journalVersion, j.files}, "", "\t")
	if err != nil {
		return err
	}
	return disk.Write(j.path, b)
}
