package osnet

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/cvlan/cvlan/internal/sys/disk"
)

// JournalName is the journal's file in the state folder.
const JournalName = "osnet.journal"

// maxEntries bounds the journal: a process has one interface a membership.
const maxEntries = 256

// identity tells an interface from any other that has, had or will have its name.
type identity struct {
	Boot      string `json:"boot"`      // which boot of the machine
	Namespace string `json:"namespace"` // which network namespace; empty where there is but one
	Index     int    `json:"index"`     // the kernel's number for it, which is not given twice in a boot
}

// entry is what was done to one interface, or was about to be done.
type entry struct {
	Interface string         `json:"interface"`
	Identity  identity       `json:"identity"`
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	Routes    []netip.Prefix `json:"routes,omitempty"`
	Serving   *serving       `json:"serving,omitempty"` // nil: it forwards nothing
	Exit      *exiting       `json:"exit,omitempty"`    // nil: other traffic does not leave through it
}

// covers reports whether the entry says already all that other says.
func (e entry) covers(other entry) bool {
	return e.Interface == other.Interface && e.Identity == other.Identity &&
		len(without(other.Addresses, e.Addresses)) == 0 && len(without(other.Routes, e.Routes)) == 0 && e.Serving.equal(other.Serving) && e.Exit.equal(other.Exit)
}

// journal is the list of entries, in memory and on disk. Its owner is the lock.
type journal struct {
	path    string // empty: memory only
	entries []entry
	knobs   []knob   // that were turned, in that order
	held    *holding // nil: the door is not held
}

type journalFile struct {
	Version int      `json:"version"`
	Entries []entry  `json:"entries"`
	Knobs   []knob   `json:"knobs,omitempty"`
	Held    *holding `json:"held,omitempty"`
}

// Versions of the journal: one in which something outlives the interfaces is not to be read by who cannot undo it.
const (
	journalPlain   = 1
	journalServing = 2 // it forwards
	journalExit    = 3 // it has an exit
	journalVersion = 4 // the door is held
)

func (j *journal) version() int {
	switch {
	case j.held != nil:
		return journalVersion
	case slices.ContainsFunc(j.entries, func(e entry) bool { return e.Exit != nil }):
		return journalExit
	case len(j.knobs) > 0 || slices.ContainsFunc(j.entries, func(e entry) bool { return e.Serving != nil }):
		return journalServing
	}
	return journalPlain
}

func newJournal(folder string) *journal {
	if folder == "" {
		return &journal{}
	}
	return &journal{path: filepath.Join(folder, JournalName)}
}

// load reads what an earlier process left. A journal of a newer version is an error: it may name things that this one cannot undo.
func (j *journal) load() error {
	if j.path == "" {
		return nil
	}
	var f journalFile
	if found, err := disk.ReadJSON(j.path, &f); !found {
		return err
	}
	if f.Version < journalPlain || f.Version > journalVersion {
		return fmt.Errorf("read %s: written by another version (%d, this one knows %d); start that version once, stop it, and try again", j.path, f.Version, journalVersion)
	}
	j.entries, j.knobs, j.held = f.Entries, f.Knobs, f.Held
	return nil
}

// of returns the entry of an interface.
func (j *journal) of(iface string) (entry, bool) {
	i := slices.IndexFunc(j.entries, func(e entry) bool { return e.Interface == iface })
	if i < 0 {
		return entry{}, false
	}
	return j.entries[i], true
}

// put notes an entry, in place of an earlier one of the same interface.
func (j *journal) put(e entry) error {
	if old, ok := j.of(e.Interface); ok && old.covers(e) && e.covers(old) {
		return nil
	}
	j.forget(e.Interface)
	if len(j.entries) == maxEntries {
		return fmt.Errorf("%d interfaces already", maxEntries)
	}
	j.entries = append(j.entries, e)
	return j.save()
}

// drop removes the entry of an interface, and the file with the last one.
func (j *journal) drop(iface string) error {
	if _, ok := j.of(iface); !ok {
		return nil
	}
	j.forget(iface)
	return j.save()
}

func (j *journal) forget(iface string) {
	j.entries = slices.DeleteFunc(j.entries, func(e entry) bool { return e.Interface == iface })
}

// remember notes a switch that is about to be turned. One that is noted already keeps what it was before.
func (j *journal) remember(k knob) error {
	at := slices.IndexFunc(j.knobs, func(x knob) bool { return x.Path == k.Path })
	if at >= 0 && j.knobs[at].Boot == k.Boot && j.knobs[at].Namespace == k.Namespace {
		return nil
	}
	if at >= 0 {
		j.knobs = slices.Delete(j.knobs, at, at+1)
	}
	j.knobs = append(j.knobs, k)
	return j.save()
}

func (j *journal) forgetKnob(path string) error {
	j.knobs = slices.DeleteFunc(j.knobs, func(k knob) bool { return k.Path == path })
	return j.save()
}

// hold notes whether the door is held.
func (j *journal) hold(h *holding) error {
	if j.held.equal(h) {
		return nil
	}
	j.held = h
	return j.save()
}

func (j *journal) save() error {
	if j.path == "" {
		return nil
	}
	if len(j.entries) == 0 && len(j.knobs) == 0 && j.held == nil {
		return disk.Remove(j.path)
	}
	b, err := json.MarshalIndent(journalFile{j.version(), j.entries, j.knobs, j.held}, "", "\t")
	if err != nil {
		return err
	}
	return disk.Write(j.path, b)
}
