package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/words"
)

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
