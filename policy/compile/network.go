package compile

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
)

// Network is a document and a directory, compiled.
type Network struct {
	doc   *acl.Document
	rules *rules

	faces     []face
	faceIndex map[string]uint32
	faceSets  []set // entry -> faces that are its sources
	faceDsts  []set // entry -> faces that are its destinations
	holders   [][]uint32
	classes   []class
	classOf   map[string]uint32

	nodes  map[ident.Node]*record
	owned  map[string][]ident.Node // by owner
	addrs  map[netip.Addr]ident.Node
	users  map[string]User
	opened map[string]bool // memory of open
	vista  *Sight          // the newest; nil: there is none
	ground []ground        // nil: not made yet
}

// class is a set of nodes that are the same to policy.
type class struct {
	main    uint32   // face
	routed  []uint32 // faces of what its nodes route, ascending
	members []ident.Node
	name    uint64 // see ClassName; 0: not known yet
}

type record struct {
	Node
	class uint32
	at    int // in the class's members
}

// New compiles a document for an empty directory. The overlay are the ranges from which the network's nodes have their addresses: no
// address in them is ever behind a router.
func New(doc *acl.Document, overlay ...netip.Prefix) *Network {
	n := &Network{
		doc: doc, rules: compileRules(doc, newLabels(overlay)), faceIndex: map[string]uint32{}, classOf: map[string]uint32{},
		nodes: map[ident.Node]*record{}, owned: map[string][]ident.Node{}, addrs: map[netip.Addr]ident.Node{},
		users: map[string]User{}, opened: map[string]bool{},
	}
	n.faceSets, n.faceDsts = make([]set, len(n.rules.entries)), make([]set, len(n.rules.entries))
	return n
}

// Document is what the network is compiled from.
func (n *Network) Document() *acl.Document { return n.doc }

// Len is the number of nodes, Classes that of classes which ever had one.
func (n *Network) Len() int { return len(n.nodes) }

// Classes is the number of classes, of which some may be empty by now.
func (n *Network) Classes() int { return len(n.classes) }

// Node returns what the directory knows of a node.
func (n *Network) Node(id ident.Node) (Node, bool) {
	r := n.nodes[id]
	if r == nil {
		return Node{}, false
	}
	return r.Node, true
}

// NodeAt returns the node with an address.
func (n *Network) NodeAt(a netip.Addr) (Node, bool) { return n.Node(n.addrs[a]) }

// labelsOf finds the labels of a node of this or another directory.
func (n *Network) labelsOf(x *Node) set {
	var u *User
	if known, ok := n.users[x.owner()]; ok {
		u = &known
	}
	return n.rules.labels.of(x, u, newSet(n.rules.labels.n))
}

// face returns the number of a set of labels.
func (n *Network) face(labels set) uint32 {
	key := string(labels.key(nil))
	if id, ok := n.faceIndex[key]; ok {
		return id
	}
	id := n.match(labels)
	n.holders = append(n.holders, nil)
	n.faceIndex[key] = id
	return id
}

// match adds a face and finds the entries that it is a source or destination of.
func (n *Network) match(labels set) uint32 {
	id := uint32(len(n.faces))
	f := n.rules.face(labels)
	n.faces = append(n.faces, f)
	for _, e := range f.src {
		n.faceSets[e] = n.faceSets[e].add(int(id))
	}
	for _, e := range f.dst {
		n.faceDsts[e] = n.faceDsts[e].add(int(id))
	}
	return id
}

// routedFaces returns the faces of what a node routes, ascending.
func (n *Network) routedFaces(routes []netip.Prefix) (out []uint32) {
	for _, r := range Reach(routes) {
		for _, p := range n.rules.labels.split(r) {
			out = append(out, n.face(n.rules.labels.behind(p)))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// classify returns the class of a node.
func (n *Network) classify(x *Node) uint32 {
	main, routed := n.face(n.labelsOf(x)), n.routedFaces(x.Routes)
	key := binary.LittleEndian.AppendUint32(nil, main)
	for _, f := range routed {
		key = binary.LittleEndian.AppendUint32(key, f)
	}
	if id, ok := n.classOf[string(key)]; ok {
		return id
	}
	id := uint32(len(n.classes))
	n.classes = append(n.classes, class{main: main, routed: routed})
	n.classOf[string(key)] = id
	n.holders[main] = append(n.holders[main], id)
	for _, f := range routed {
		if f != main {
			n.holders[f] = append(n.holders[f], id)
		}
	}
	return id
}

// Put adds a node or replaces what is known of it. It appends the nodes whose Plan or view of others is affected, the node itself
// among them.
func (n *Network) Put(x Node, affected []ident.Node) []ident.Node {
	c := n.classify(&x)
	old := n.nodes[x.ID]
	if old == nil {
		n.join(&record{Node: x, class: c})
		return n.audience(affected, nil, n.nodes[x.ID])
	}
	before := *old
	if before.class == c && before.owner() == x.owner() && slices.Equal(before.Addrs, x.Addrs) && slices.Equal(before.Routes, x.Routes) {
		old.Node = x
		return affected
	}
	seen := n.sight(&before)
	n.leave(old)
	n.join(&record{Node: x, class: c})
	return n.audience(affected, seen, n.nodes[x.ID])
}

// Remove forgets a node and appends those who saw it.
func (n *Network) Remove(id ident.Node, affected []ident.Node) []ident.Node {
	r := n.nodes[id]
	if r == nil {
		return affected
	}
	affected = n.Peers(id, affected)
	n.leave(r)
	return affected
}

// PutUser replaces what the directory knows of a user.
func (n *Network) PutUser(u User, affected []ident.Node) []ident.Node {
	u.Login = (&Node{User: u.Login}).owner()
	if old, ok := n.users[u.Login]; ok && old.equal(&u) {
		return affected
	}
	n.users[u.Login] = u
	return n.again(u.Login, affected)
}

// RemoveUser forgets what the directory knows of a user. Its nodes stay.
func (n *Network) RemoveUser(login string, affected []ident.Node) []ident.Node {
	login = (&Node{User: login}).owner()
	delete(n.users, login)
	return n.again(login, affected)
}

// again classifies a user's nodes anew.
func (n *Network) again(login string, affected []ident.Node) []ident.Node {
	seen := map[ident.Node]bool{}
	for _, id := range slices.Clone(n.owned[login]) {
		for _, a := range n.Put(n.nodes[id].Node, nil) {
			if !seen[a] {
				seen[a] = true
				affected = append(affected, a)
			}
		}
	}
	return affected
}

// place puts a record into its class.
func (n *Network) place(r *record) {
	c := &n.classes[r.class]
	r.at = len(c.members)
	c.members = append(c.members, r.ID)
	n.nodes[r.ID] = r
}

func (n *Network) join(r *record) {
	n.place(r)
	if o := r.owner(); o != "" {
		n.owned[o] = append(n.owned[o], r.ID)
	}
	for _, a := range r.Addrs {
		n.addrs[a] = r.ID
	}
}

func (n *Network) leave(r *record) {
	c := &n.classes[r.class]
	last := len(c.members) - 1
	c.members[r.at] = c.members[last]
	n.nodes[c.members[r.at]].at = r.at
	c.members = c.members[:last]
	if o := r.owner(); o != "" {
		n.owned[o] = slices.DeleteFunc(n.owned[o], func(id ident.Node) bool { return id == r.ID })
	}
	for _, a := range r.Addrs {
		if n.addrs[a] == r.ID {
			delete(n.addrs, a)
		}
	}
	delete(n.nodes, r.ID)
}

// Load adds many nodes at once, without asking whom each affects.
func (n *Network) Load(nodes []Node) {
	for i := range nodes {
		if old := n.nodes[nodes[i].ID]; old != nil {
			n.leave(old)
		}
		n.join(&record{Node: nodes[i], class: n.classify(&nodes[i])})
	}
}
