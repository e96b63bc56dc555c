package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// tryOut writes to copies, and returns what is wrong with the values.
func (d *Daemon) tryOut(w wishes) (faults []error) {
	var meta state.Meta
	if w.member != nil {
		meta = w.member.state.Meta()
	}
	for _, n := range w.network {
		err := n.setting.write(&meta, n.value)
		if err == nil && n.setting.bars != nil {
			err = n.setting.bars(&d.cfg, n.value)
		}
		if err != nil {
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
	m.d.hold()
	m.adopt(before, all)
	return err
}

// adopt brings changed settings to a membership that is up.
func (m *member) adopt(before state.Meta, all []wish[ofNetwork]) {
	e, _ := m.alive()
	if e == nil {
		return
	}
	all = slices.DeleteFunc(all, func(w wish[ofNetwork]) bool { return w.setting.read(&before) == w.value })
	if slices.ContainsFunc(all, func(w wish[ofNetwork]) bool { return w.setting.apply == nil }) {
		m.d.log.Info("settings changed, the network starts anew", logx.Network, m.id.String())
		m.stop()
		m.start(m.d.running)
		return
	}
	for _, w := range all {
		w.setting.apply(m, e)
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
