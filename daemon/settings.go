package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/words"
)

// Settings implements localapi.Backend: those of every membership, then the machine's, then what flags set.
func (d *Daemon) Settings() local.Settings {
	out := local.Settings{Schema: local.Schema, Settings: []local.Setting{}}
	for _, m := range d.all() {
		if m.state != nil {
			out.Settings = append(out.Settings, m.settings()...)
		}
	}
	out.Settings = append(out.Settings, d.settings()...)
	for _, f := range flagSettings {
		s := f.show()
		s.Value, s.Flag = f.value(&d.cfg), "--"+f.key
		s.Default = s.Value
		out.Settings = append(out.Settings, s)
	}
	return out
}

func (a *about) show() local.Setting {
	return local.Setting{Key: a.key, What: a.what, Values: a.values, Form: a.form}
}

// valued puts in a value, or the default that holds without one.
func valued(s local.Setting, set, standard string) local.Setting {
	s.Value, s.Default, s.Set = set, standard, set != ""
	if !s.Set {
		s.Value = standard
	}
	return s
}

func (m *member) settings() (all []local.Setting) {
	meta := m.state.Meta()
	e, _ := m.alive()
	for _, o := range networkSettings {
		s := valued(o.show(), o.read(&meta), o.standard(&m.d.cfg))
		s.Network, s.Restart = m.label(), o.apply == nil
		if e != nil && o.inUse != nil {
			if now := o.inUse(e.Status()); now != s.Value {
				s.InUse = now
			}
		}
		all = append(all, s)
	}
	return all
}

func (d *Daemon) settings() (all []local.Setting) {
	d.mu.Lock()
	p := d.preferences
	d.mu.Unlock()
	for _, o := range machineSettings {
		all = append(all, valued(o.show(), o.read(&p), o.standard(&d.cfg)))
	}
	return all
}

const setVerb = "change settings"

// Set implements localapi.Backend. All is checked before anything is changed: a request with a fault changes nothing.
func (d *Daemon) Set(_ context.Context, r local.SetRequest) (local.Settings, error) {
	d.ops.Lock()
	defer d.ops.Unlock()
	if d.running == nil {
		return local.Settings{}, errStopping
	}
	w, err := d.wishes(r)
	if err != nil {
		return local.Settings{}, err
	}
	failed := errors.Join(d.grant(w.machine), w.member.grant(w.network))
	d.changed()
	return d.concerned(r, w), failed
}

// wishes is a request, sorted by whose settings it means and checked.
type wishes struct {
	machine []wish[ofMachine]
	network []wish[ofNetwork]
	member  *member // whose network's; nil: nobody's
}

// wish is a setting and the value that it shall have; "": the default.
type wish[T any] struct {
	setting T
	value   string
}

func (d *Daemon) wishes(r local.SetRequest) (w wishes, err error) {
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(r.Values)) {
		faults = append(faults, w.sort(key, r.Values[key]))
	}
	if len(r.Values) == 0 {
		faults = append(faults, local.CodeInvalid.Problem(setVerb, "nothing is named", "see what there is: cvlan get"))
	}
	if err := errors.Join(faults...); err != nil {
		return w, merged(faults)
	}
	if len(w.network) > 0 || r.Network != "" {
		if w.member, err = d.one(r.Network); err != nil {
			return w, err
		}
	}
	if w.member != nil && w.member.state == nil {
		return w, damaged(w.member)
	}
	return w, merged(d.tryOut(w))
}

// sort finds a key in the tables.
func (w *wishes) sort(key, value string) error {
	for _, o := range networkSettings {
		if o.key == key {
			v, err := o.accepts(value, value == auto && o.standard(&Config{}) == auto)
			w.network = append(w.network, wish[ofNetwork]{o, v})
			return err
		}
	}
	for _, o := range machineSettings {
		if o.key == key {
			v, err := o.accepts(value, false)
			w.machine = append(w.machine, wish[ofMachine]{o, v})
			return err
		}
	}
	for _, o := range flagSettings {
		if o.key == key {
			return local.CodeInvalid.Problem("set "+key, "the daemon's own settings have it", "start cvland with --"+key+", or write it to its file, and restart it")
		}
	}
	return unknown(key)
}

// accepts checks a value where the table lists all, and makes the default's name "".
func (a *about) accepts(value string, standard bool) (string, error) {
	switch {
	case value == local.DefaultValue || standard:
		return "", nil
	case a.values != nil && !slices.Contains(a.values, value):
		hint := "use " + alternatives(a.values)
		if near := words.Near(value, a.values); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		return "", local.CodeInvalid.Problem(fmt.Sprintf("set %s to %s", a.key, shown(value)), "there is no such value", hint)
	case value == "":
		return "", local.CodeInvalid.Problem("set "+a.key, "the value is empty", "its default is called "+local.DefaultValue)
	}
	return value, nil
}

func alternatives(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
}

func unknown(key string) error {
	var keys []string
	for _, o := range networkSettings {
		keys = append(keys, o.key)
	}
	for _, o := range machineSettings {
		keys = append(keys, o.key)
	}
	hint := "see what there is: cvlan get"
	if near := words.Near(key, keys); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return local.CodeNotFound.Problem("set "+shown(key), "there is no such setting", hint)
}

func shown(s string) string { return clean.Line(s, 80) }

// one returns the membership that a request means.
func (d *Daemon) one(network string) (*member, error) {
	chosen, err := d.choose(network)
	if err != nil {
		return nil, err
	}
	if len(chosen) > 1 {
		var names []string
		for _, m := range chosen {
			names = append(names, m.label())
		}
		return nil, local.CodeAmbiguous.Problem(setVerb, "this machine is in several networks: "+strings.Join(names, ", "), "say whose settings: --network NAME")
	}
	return chosen[0], nil
}

// tryOut writes to copies, and returns what is wrong with the values.
func (d *Daemon) tryOut(w wishes) (faults []error) {
	var meta state.Meta
	for _, n := range w.network {
		if err := n.setting.write(&meta, n.value); err != nil {
			faults = append(faults, local.CodeInvalid.Problem(fmt.Sprintf("set %s to %s", n.setting.key, shown(n.value)), err.Error(), ""))
		}
	}
	var p state.Preferences
	for _, m := range w.machine {
		if err := m.setting.write(&p, m.value); err != nil {
			faults = append(faults, local.CodeInvalid.Problem(fmt.Sprintf("set %s to %s", m.setting.key, shown(m.value)), err.Error(), ""))
		}
	}
	return faults
}

// merged makes one problem of several; nil of none. The first says which kind it is.
func merged(faults []error) error {
	var all []*local.Error
	for _, f := range faults {
		var e *local.Error
		if errors.As(f, &e) {
			all = append(all, e)
		}
	}
	if len(all) < 2 {
		return errors.Join(faults...)
	}
	var lines []string
	for _, e := range all {
		lines = append(lines, strings.TrimSuffix(e.Error()+"; "+e.Hint, "; "))
	}
	return all[0].Code.Problem(setVerb, fmt.Sprintf("%d of them cannot be, so nothing was changed", len(all)), strings.Join(lines, "\n"))
}

// grant keeps and applies what was set for the machine. The caller holds ops.
func (d *Daemon) grant(all []wish[ofMachine]) error {
	if len(all) == 0 {
		return nil
	}
	d.mu.Lock()
	for _, w := range all {
		_ = w.setting.write(&d.preferences, w.value) // it was tried out
	}
	p := d.preferences
	d.mu.Unlock()
	for _, w := range all {
		w.setting.apply(d)
	}
	if err := d.dir.SavePreferences(p); err != nil {
		return local.CodeInternal.Problem("keep what was set", err.Error(), "it holds until the daemon's next start; repeat the command when the disk is writable")
	}
	return nil
}

// grant keeps and applies what was set for a network. Who sets what is so already disturbs nothing. The caller holds ops.
func (m *member) grant(all []wish[ofNetwork]) error {
	if len(all) == 0 {
		return nil
	}
	before := m.state.Meta()
	err := m.state.Set(func(meta *state.Meta) {
		for _, w := range all {
			_ = w.setting.write(meta, w.value) // it was tried out
		}
	})
	if err != nil {
		err = unsaved("change settings of", m, err)
	}
	m.adopt(before, all)
	return err
}

// adopt brings changed settings to a membership that is up.
func (m *member) adopt(before state.Meta, all []wish[ofNetwork]) {
	e, _ := m.alive()
	anew := false
	for _, w := range all {
		switch {
		case e == nil || w.setting.read(&before) == w.value:
		case w.setting.apply == nil:
			anew = true
		default:
			w.setting.apply(m, e)
		}
	}
	if anew {
		m.d.log.Info("settings changed, the network starts anew", logx.Network, m.id.String())
		m.stop()
		m.start(m.d.running)
	}
}

// concerned is what Set answers with.
func (d *Daemon) concerned(r local.SetRequest, w wishes) local.Settings {
	out := local.Settings{Schema: local.Schema, Settings: []local.Setting{}}
	var all []local.Setting
	if w.member != nil {
		all = w.member.settings()
	}
	for _, s := range append(all, d.settings()...) {
		if _, named := r.Values[s.Key]; named {
			out.Settings = append(out.Settings, s)
		}
	}
	return out
}
