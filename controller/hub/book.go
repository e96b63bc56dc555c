package hub

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/view"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/proto/control"
)

// A book is one network's policy: its document and directory, compiled, and the charters that were asked for. The tenant's lock guards it.
type book struct {
	network  *compile.Network
	number   uint64 // of the document
	allows   bool   // the document has a rule that allows
	overlay  []netip.Prefix
	of       map[ident.Node]uint32 // node -> class
	count    map[uint32]int        // nodes of a class
	charters map[uint32]charter
	shown    int // classes that the view's sight knows; questions (Hub.Ask) may have brought more into the network since
	edit     edit
}

// charter is what the nodes of a class are told.
type charter struct {
	name uint64
	body []byte
}

// sight is what the view asks: who sees whom as it was when the sight was made, and the rules as they are now.
type sight struct {
	*compile.Sight
	book *book
}

// Rules implements view.Sight.
func (s sight) Rules(class uint32) (uint64, []byte) {
	if int(class) >= s.book.network.Classes() {
		return 0, nil
	}
	c, known := s.book.charters[class]
	if !known {
		c.body, c.name = s.book.network.Charter(class, s.book.number).Encode()
		s.book.charters[class] = c
	}
	return c.name, c.body
}

func newBook(n *store.Network) *book {
	b := &book{of: map[ident.Node]uint32{}, count: map[uint32]int{}, charters: map[uint32]charter{}}
	for _, r := range []netip.Prefix{n.Range4, n.Range6} {
		if r.IsValid() {
			b.overlay = append(b.overlay, r)
		}
	}
	b.network = compile.New(&acl.Document{}, b.overlay...)
	return b
}

// groupWord finds what may be the name of a group.
var groupWord = regexp.MustCompile(`group:[a-z0-9._-]+`)

// parse reads a document that was checked when it was written. A group that has been deleted from the directory since is one without
// members, not an error.
func parse(text []byte) (*acl.Document, error) {
	doc, problems := acl.Parse(text, acl.Options{Zone: time.LoadLocation, Groups: groupWord.FindAllString(string(text), -1), Kept: true})
	if doc == nil {
		return nil, fmt.Errorf("policy: %v", problems[slices.IndexFunc(problems, func(p acl.Problem) bool { return !p.Warning })])
	}
	return doc, nil
}

// replace takes over another document.
func (b *book) replace(doc *acl.Document, number uint64) {
	b.network, _ = b.network.Replace(doc, nil)
	b.number = number
	b.allows = slices.ContainsFunc(doc.Rules, func(r acl.Rule) bool { return !r.Deny })
	clear(b.charters)
	clear(b.count)
	for id := range b.of {
		class, _ := b.network.Class(&compile.Node{ID: id})
		b.of[id] = class
		b.count[class]++
	}
}

// sight is who sees whom now, for the view, which is to take it over at once.
func (b *book) sight() sight {
	b.shown = b.network.Classes()
	return sight{b.network.Sight(), b}
}

// put places a node, and reports whether there are classes now of which the view's sight does not know.
func (b *book) put(x compile.Node) (p view.Place, grown bool) {
	b.network.Load([]compile.Node{x})
	class, _ := b.network.Class(&x)
	if old, known := b.of[x.ID]; !known || old != class {
		if known {
			b.count[old]--
		}
		b.of[x.ID] = class
		if b.count[class]++; b.count[class] == 1 {
			b.arrived(class)
		}
	}
	return b.place(x.ID), b.network.Classes() > b.shown
}

// place is where a node is that the book knows.
func (b *book) place(id ident.Node) view.Place {
	class, known := b.of[id]
	if !known {
		return nowhere
	}
	return view.Place{Class: class, Name: b.network.ClassName(class)}
}

// nowhere is the place of nodes that policy does not know, such as those that wait for approval. No class has that number.
var nowhere = view.Place{Class: 1<<32 - 1}

// arrived forgets the charters in which a class has to stand that had no nodes until now.
func (b *book) arrived(class uint32) {
	s := b.network.Sight()
	for c := range b.charters {
		if c == class || s.Sees(c, class, false) || s.Related() && s.Sees(c, class, true) {
			delete(b.charters, c)
		}
	}
}

func (b *book) remove(id ident.Node) {
	if class, known := b.of[id]; known {
		b.count[class]--
		delete(b.of, id)
		b.network.Remove(id, nil)
	}
}

// known is a store's node as policy knows it.
func known(n *store.Node) compile.Node {
	x := compile.Node{ID: n.ID, User: n.User, Tags: n.Tags, Routes: n.Routes(), Attrs: n.Attrs}
	if r, err := control.ParseRecord(n.Record); err == nil && len(n.Signature) > 0 { // else it has not said what it speaks
		x.Speaks = r.Speech.Speaks
	}
	for _, a := range []netip.Addr{n.Address4, n.Address6} {
		if a.IsValid() {
			x.Addrs = append(x.Addrs, a)
		}
	}
	return x
}

// owner is whose node it is as others are told.
func owner(n *store.Node) string {
	if len(n.Tags) > 0 {
		return ""
	}
	return strings.ToLower(n.User)
}

// knownPlain is a plain device as policy knows it: a node of nobody's, under its own number, which no node has.
func knownPlain(p *store.Plain) compile.Node {
	x := compile.Node{ID: ident.Node(p.ID), Speaks: control.WireGuard}
	for _, a := range []netip.Addr{p.Address4, p.Address6} {
		if a.IsValid() {
			x.Addrs = append(x.Addrs, a)
		}
	}
	return x
}

// plainClass is the field class of control.Plain.
const plainClass = 10

// entry is a plain device as nodes are told of it.
func entry(p *store.Plain, class uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(p.Entry(), plainClass, protowire.Fixed64Type), class)
}
