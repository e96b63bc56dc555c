package daemon

import (
	"github.com/cvlan/cvlan/api/local"
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
		if e != nil && o.instead != nil {
			s.Instead = o.instead(e.Status(), s.Value)
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
