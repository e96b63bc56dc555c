package view

import (
	"fmt"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Sight is what a policy document says about classes of nodes. What it says of two classes never changes, and it is asked only about
// classes that a node has been put into with it.
type Sight interface {
	// Sees reports whether nodes of two classes are shown to each other; related says that both belong to one user. It is symmetric.
	Sees(a, b uint32, related bool) bool
	// Related reports whether Sees depends on it.
	Related() bool
	// Rules are what the nodes of a class are told that they may do, under a name that is zero if there are none. They may change
	// when another class comes up, but not without a change of their name.
	Rules(class uint32) (name uint64, body []byte)
}

// stand is where a node stands in policy.
type stand struct {
	class uint32
	user  string // its owner; "" if that does not matter
}

// related reports whether two nodes belong to one user.
func (s stand) related(o stand) bool { return s.user != "" && s.user == o.user }

// stance is a stand that was given up, and the version until which it held.
type stance struct {
	stand
	until uint64
}

// turn is a Sight that was replaced, and the version until which it held.
type turn struct {
	sight Sight
	until uint64
}

// maxPast is how many former stands of a node, and how many former sights of a network, are remembered. Who is further behind gets a
// snapshot.
const maxPast = 8

// SetSight gives a network its first Sight, before its nodes come, or one that says the same and knows more classes.
func (v *View) SetSight(id ident.Network, s Sight) error {
	w := v.networks[id]
	if w == nil {
		return fmt.Errorf("%w: network %s", ErrUnknown, id)
	}
	w.sight = s
	return nil
}

// Place is a node's place in policy, as a Turn gives it.
type Place struct {
	Class uint32
	Name  uint64 // of the class
}

// Turn replaces a network's Sight by that of another document. place tells where each of its nodes is now. What each node is to see and
// to see no longer comes as a delta.
func (v *View) Turn(id ident.Network, s Sight, place func(ident.Node) Place, version uint64) (Change, error) {
	w := v.networks[id]
	if w == nil {
		return Change{}, fmt.Errorf("%w: network %s", ErrUnknown, id)
	}
	if err := v.advance(version, !v.loading(version)); err != nil {
		return Change{}, err
	}
	if v.loading(version) {
		w.blind = version
	} else {
		w.turns = append(w.turns, turn{w.sight, version})
		if len(w.turns) > maxPast {
			w.blind = w.turns[0].until
			w.turns = append(w.turns[:0], w.turns[1:]...)
		}
	}
	w.sight = s
	for _, m := range w.members {
		p := place(m.id)
		m.move(stand{p.Class, m.user}, version)
		if m.rename(p.Name) && m.shown {
			m.versions[byHard] = version
			w.list[byHard].push(m)
			w.moves++
		}
	}
	w.firsts.clear()
	return Change{network: w, scope: everyone}, nil
}

// move gives a member another stand.
func (m *member) move(s stand, version uint64) {
	if m.stand == s {
		return
	}
	if len(m.past) == maxPast {
		m.since = m.past[0].until
		m.past = append(m.past[:0], m.past[1:]...)
	}
	m.past = append(m.past, stance{m.stand, version})
	m.stand = s
}

// rename changes the name of the class in what is told of a member, and reports whether it was another.
func (m *member) rename(name uint64) bool {
	if m.className == name {
		return false
	}
	m.className = name
	m.peer = appendPolicy(m.peer[:m.head:m.head], name, m.user)
	if m.own != nil {
		m.own = appendPolicy(m.own[:m.ownHead:m.ownHead], name, m.user)
	}
	return true
}

// standAt returns where a member stood at a position; ok is false if that is not known any more.
func (m *member) standAt(hard uint64) (s stand, ok bool) {
	for i := range m.past {
		if hard < m.past[i].until {
			return m.past[i].stand, hard >= m.since
		}
	}
	return m.stand, hard >= m.since
}

// sightAt returns who saw whom at a position that is not below network.blind.
func (w *network) sightAt(hard uint64) Sight {
	for i := range w.turns {
		if hard < w.turns[i].until {
			return w.turns[i].sight
		}
	}
	return w.sight
}

// shows reports whether a sight shows two stands to each other. Without a sight everybody sees everybody.
func shows(s Sight, a, b stand) bool { return s == nil || s.Sees(a.class, b.class, a.related(b)) }

// viewer is a member's stand as far as it matters to what the member sees: those with equal ones are told the same.
func (m *member) viewer() stand {
	if m.network.sight == nil {
		return stand{}
	}
	if !m.network.sight.Related() {
		return stand{class: m.stand.class}
	}
	return m.stand
}

// viewed reports whether a viewer is shown a member now.
func (m *member) viewed(by stand) bool { return m.shown && shows(m.network.sight, by, m.stand) }

// rules are what a member is told that it may do.
func (m *member) rules() (name uint64, body []byte) {
	if m.network.sight == nil || m.pending {
		return 0, nil
	}
	return m.network.sight.Rules(m.stand.class)
}

// gaze is what one stand sees now and saw at a position.
type gaze struct {
	from  uint64
	now   stand
	was   stand
	sight Sight // of then
}

// gaze returns what a member saw at a position that reaches allows.
func (m *member) gaze(from uint64) gaze {
	g := gaze{from: from, now: m.viewer(), sight: m.network.sightAt(from)}
	g.was, _ = m.standAt(from)
	if g.sight == nil || !g.sight.Related() {
		g.was.user = ""
	}
	if g.sight == nil {
		g.was = stand{}
	}
	return g
}

// reaches reports whether it is known what a member saw at a position.
func (m *member) reaches(from uint64) bool {
	if m.network.sight == nil {
		return true
	}
	_, known := m.standAt(from)
	return known && from >= m.network.blind
}

// turned reports whether the viewer may see others now than it did then, without their having changed.
func (g *gaze) turned(w *network) bool {
	return g.now != g.was || len(w.turns) > 0 && g.from < w.turns[len(w.turns)-1].until
}

// sight is what is known of whether a node was shown.
type sighted uint8

const (
	no sighted = iota
	maybe
	yes
)

// saw says whether the viewer was shown a member at the position. The member may have been hidden for other reasons.
func (g *gaze) saw(m *member) sighted {
	if g.sight == nil && m.network.sight == nil {
		return yes
	}
	s, known := m.standAt(g.from)
	switch {
	case g.from < m.born:
		return no
	case !known:
		return maybe
	case shows(g.sight, g.was, s):
		return yes
	}
	return no
}

// Move puts one node into another class, without a change to the node itself.
func (v *View) Move(id ident.Node, p Place, version uint64) (Change, error) {
	m := v.members[id]
	if m == nil {
		return Change{}, fmt.Errorf("%w: node %s", ErrUnknown, id)
	}
	if err := v.advance(version, true); err != nil {
		return Change{}, err
	}
	here := stand{p.Class, m.user}
	if m.stand == here && m.className == p.Name {
		return Change{}, nil
	}
	m.move(here, version)
	if m.rename(p.Name); m.shown {
		m.versions[byHard] = version
		m.network.list[byHard].push(m)
		m.network.moves++
	}
	m.network.firsts.clear()
	return Change{network: m.network, node: id, m: m, scope: everyone}, nil
}
