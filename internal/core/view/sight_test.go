package view

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// matrix is a Sight as plain as can be. A bit says that two classes see each other, another that they do within one user.
type matrix struct {
	sees, own map[[2]uint32]bool
	byUser    bool
	rules     map[uint32]string
}

func (x *matrix) Sees(a, b uint32, related bool) bool {
	pair := [2]uint32{min(a, b), max(a, b)}
	if related && x.byUser {
		return x.own[pair]
	}
	return x.sees[pair]
}

func (x *matrix) Related() bool { return x.byUser }

func (x *matrix) Rules(class uint32) (uint64, []byte) {
	r := x.rules[class]
	if r == "" {
		return 0, nil
	}
	name := uint64(0)
	for _, c := range []byte(r) {
		name = name*31 + uint64(c)
	}
	return name + 1, []byte(r)
}

const classes = 4

func randomMatrix(r *rand.Rand) *matrix {
	x := &matrix{sees: map[[2]uint32]bool{}, own: map[[2]uint32]bool{}, byUser: r.IntN(2) == 0, rules: map[uint32]string{}}
	for a := range uint32(classes) {
		for b := a; b < classes; b++ {
			x.sees[[2]uint32{a, b}], x.own[[2]uint32{a, b}] = r.IntN(2) == 0, r.IntN(2) == 0
		}
		x.rules[a] = fmt.Sprintf("rules %d of class %d", r.IntN(3), a)
	}
	return x
}

// policed is a stage whose nodes have classes, and what is known of them besides.
type policed struct {
	*stage
	r       *rand.Rand
	sight   *matrix
	nodes   map[ident.Node]Node
	at      map[ident.Node]uint64 // version of the newest change of a node
	online  map[ident.Node]bool
	turn    uint64 // version of the newest turn
	dead    map[ident.Node]uint64
	readers map[ident.Node]*reader
}

func newPoliced(t testing.TB, seed uint64) *policed {
	p := &policed{stage: newStage(t, Config{}), r: rand.New(rand.NewPCG(seed, 3)), nodes: map[ident.Node]Node{}, at: map[ident.Node]uint64{},
		online: map[ident.Node]bool{}, dead: map[ident.Node]uint64{}, readers: map[ident.Node]*reader{}}
	p.sight, p.turn = randomMatrix(p.r), p.hard
	if err := p.view.SetSight(office, p.sight); err != nil {
		t.Fatal(err)
	}
	return p
}

func name(class uint32, user string) func(*Node) {
	return func(n *Node) { n.Class, n.ClassName, n.User = class, 100+uint64(class), user }
}

func (p *policed) put(id ident.Node) {
	edits := []func(*Node){name(p.r.Uint32N(classes), []string{"", "ann", "bob"}[p.r.IntN(3)])}
	if p.r.IntN(4) == 0 {
		edits = append(edits, renamed)
	}
	if p.r.IntN(10) == 0 {
		edits = append(edits, pending)
	}
	if p.r.IntN(10) == 0 {
		edits = append(edits, unsigned)
	}
	p.nodes[id], p.at[id] = nodeOf(id, edits...), p.next()
	p.must(p.view.PutNode(p.nodes[id], p.at[id]))
	delete(p.dead, id)
}

func (p *policed) turnTo(x *matrix) {
	p.sight, p.turn = x, p.next()
	shift := p.r.Uint32N(classes)
	for id, n := range p.nodes {
		n.Class = (n.Class + shift) % classes
		n.ClassName = 100 + uint64(n.Class)
		p.nodes[id] = n
	}
	p.must(p.view.Turn(office, x, func(id ident.Node) Place { return Place{p.nodes[id].Class, p.nodes[id].ClassName} }, p.turn))
}

// restart is a new View, loaded as the controller loads one.
func (p *policed) restart() {
	p.view = New(Config{Epoch: 1, Boot: p.view.cfg.Boot + 1, Hard: p.hard})
	p.must(p.view.PutNetwork(networkOf(office, true), 1))
	p.must(p.view.Turn(office, p.sight, nil, p.turn))
	type change struct {
		id      ident.Node
		version uint64
	}
	var all []change
	for id, v := range p.at {
		if _, there := p.nodes[id]; there {
			all = append(all, change{id, v})
		}
	}
	for id, v := range p.dead {
		all = append(all, change{id, v})
	}
	slices.SortFunc(all, func(a, b change) int { return int(a.version) - int(b.version) })
	for _, c := range all {
		if n, there := p.nodes[c.id]; there {
			p.must(p.view.PutNode(n, c.version))
		} else {
			p.must(p.view.RemoveNode(Tombstone{Node: c.id, Network: office, Version: c.version}))
		}
	}
	clear(p.online)
	for id, r := range p.readers {
		if _, there := p.nodes[id]; there {
			r.stage = p.stage
			r.resume(id)
		}
	}
}

// sees is what a node should be shown.
func (p *policed) shouldSee(id ident.Node) (all []ident.Node) {
	me := p.nodes[id]
	if me.Pending {
		return nil
	}
	for other, n := range p.nodes {
		if other != id && !n.Pending && n.Signature != nil && p.sight.Sees(me.Class, n.Class, me.User != "" && me.User == n.User) {
			all = append(all, other)
		}
	}
	slices.Sort(all)
	return all
}

func (p *policed) check(seed uint64, step int, id ident.Node) {
	r := p.readers[id]
	r.read()
	var have []ident.Node
	for other, peer := range r.peers {
		have = append(have, other)
		if n := p.nodes[other]; peer.Class != n.ClassName || peer.User != n.User || string(peer.Record) != string(n.Record) {
			p.t.Fatalf("seed %d step %d: %d is shown an old %d: %v", seed, step, id, other, peer)
		}
		if r.soft[other].GetOnline() != p.online[other] {
			p.t.Fatalf("seed %d step %d: %d is told that %d is online: %v", seed, step, id, other, r.soft[other])
		}
	}
	slices.Sort(have)
	if want := p.shouldSee(id); !slices.Equal(have, want) {
		p.t.Fatalf("seed %d step %d: %d sees %v, want %v", seed, step, id, have, want)
	}
	if name, body := p.sight.Rules(p.nodes[id].Class); !p.nodes[id].Pending && (r.rulesName != name || string(r.rules) != string(body)) {
		p.t.Fatalf("seed %d step %d: %d has the rules %q, want %q", seed, step, id, r.rules, body)
	}
}

// TestEverybodySeesWhatPolicyShows makes random changes: classes, users, documents, deletions, restarts. Nodes read at random, come back
// with an old cursor, and must in the end have exactly what they may see.
func TestEverybodySeesWhatPolicyShows(t *testing.T) {
	snapshots, deltas := 0, 0
	for seed := range uint64(150) {
		p := newPoliced(t, seed)
		for step := range 120 {
			id := ident.Node(1 + p.r.IntN(9))
			_, there := p.nodes[id]
			switch k := p.r.IntN(20); {
			case k < 5 || !there:
				p.put(id)
			case k < 6:
				p.at[id] = p.next()
				p.dead[id] = p.at[id]
				delete(p.nodes, id)
				delete(p.online, id)
				delete(p.readers, id)
				p.must(p.view.RemoveNode(Tombstone{Node: id, Network: office, Version: p.at[id]}))
			case k < 9:
				p.online[id] = !p.online[id]
				p.view.SetSoft(id, Soft{Online: p.online[id]})
			case k < 11:
				p.turnTo(randomMatrix(p.r))
			case k < 12 && p.r.IntN(4) == 0:
				p.restart()
			case k < 14 && p.readers[id] != nil:
				p.readers[id].resume(id)
			case p.readers[id] == nil:
				p.readers[id] = p.reader(id)
			default:
				before := p.readers[id].cursor
				p.check(seed, step, id)
				if p.readers[id].frames > 0 && before != nil {
					if p.readers[id].snapped {
						snapshots++
					} else {
						deltas++
					}
				}
			}
		}
		for id := range p.readers {
			p.check(seed, -1, id)
		}
	}
	if deltas < 3*snapshots {
		t.Errorf("%d deltas, but %d snapshots", deltas, snapshots)
	}
}

// TestWhoIsHiddenIsNeverNamed reads every byte that a node gets: what policy hides is not in it, not even its identifier.
func TestWhoIsHiddenIsNeverNamed(t *testing.T) {
	s := newStage(t, Config{})
	x := &matrix{sees: map[[2]uint32]bool{{0, 0}: true, {1, 1}: true}, own: map[[2]uint32]bool{}, rules: map[uint32]string{}}
	if err := s.view.SetSight(office, x); err != nil {
		t.Fatal(err)
	}
	const secret = 0x5ec2e7
	s.node(1, name(0, ""))
	r := s.reader(1)
	r.read()
	s.node(secret, name(1, ""))
	s.view.SetSoft(secret, Soft{Online: true})
	s.node(secret, name(1, ""), renamed)
	s.remove(secret)
	s.node(2, name(0, ""))
	if m := r.read(); len(m.Upsert) != 1 || len(m.Remove) > 0 || len(m.Soft) > 0 {
		t.Fatalf("%v", m)
	}
	fresh := s.reader(2)
	if fresh.read(); fresh.sees() != "1" {
		t.Fatal(fresh.sees())
	}
}

func TestATurnThatChangesNothingIsNoFrame(t *testing.T) {
	s := newStage(t, Config{})
	x := &matrix{sees: map[[2]uint32]bool{{0, 0}: true}, rules: map[uint32]string{0: "all"}}
	if err := s.view.SetSight(office, x); err != nil {
		t.Fatal(err)
	}
	s.node(1, name(0, ""))
	s.node(2, name(0, ""))
	r := s.reader(1)
	r.read()
	frames := 0
	for range 3 * maxPast {
		y := *x
		s.must(s.view.Turn(office, &y, func(ident.Node) Place { return Place{0, 100} }, s.next()))
		r.read()
		frames += r.frames
	}
	if frames > 3*maxPast/(maxPast/2) {
		t.Errorf("%d frames", frames)
	}
	r.resume(1)
	if m := r.read(); m.Snapshot || len(m.Rules) > 0 {
		t.Errorf("after many turns that did not concern it: %v", m)
	}
}

func TestRulesGoToWhoLacksThem(t *testing.T) {
	s := newStage(t, Config{Piece: 64})
	x := &matrix{sees: map[[2]uint32]bool{{0, 0}: true}, rules: map[uint32]string{0: "who reads this may talk to everybody, about everything, at every hour of the day"}}
	if err := s.view.SetSight(office, x); err != nil {
		t.Fatal(err)
	}
	s.node(1, name(0, ""))
	r := s.reader(1)
	if m := r.read(); string(r.rules) != x.rules[0] || len(m.Rules) < 3 {
		t.Fatalf("%v", m)
	}
	r.resume(1)
	if m := r.read(); len(m.Rules) > 0 {
		t.Fatalf("rules again: %v", m)
	}
	x.rules[0] = "other rules"
	if m := r.read(); string(r.rules) != "other rules" || m.Snapshot {
		t.Fatalf("%v", m)
	}
}
