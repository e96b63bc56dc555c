package names

import (
	"fmt"
	"net/netip"
	"strings"
)

// Root is the domain in which all networks have theirs. ".internal" is reserved for private use (ICANN, 2024).
const Root = "cvlan.internal"

// Network is what has names in one network.
type Network struct {
	Name   string         // for people
	Domain string         // without the final dot, in lower case
	Ranges []netip.Prefix // of its addresses
	Hosts  []Host
}

// Host is a machine. Its name is an RFC 1123 label in lower case.
type Host struct {
	Name  string
	Addrs []netip.Addr
}

// Book is what is known of all networks. It never changes.
type Book struct {
	zones  map[string]string // domains of networks -> the networks' names
	above  map[string]bool   // domains between Root and those, Root too
	hosts  map[string]host   // by full name
	whose  map[netip.Addr]string
	ranges []netip.Prefix
}

type host struct {
	addrs   []netip.Addr
	network string
}

// CheckDomain tells why a network of that domain can have no names here.
func CheckDomain(domain string) error {
	if !strings.HasSuffix(domain, "."+Root) {
		return fmt.Errorf("its controller says that its domain is %q, and domains outside %s are not ours to answer for", domain, Root)
	}
	return nil
}

// NewBook makes one of what there is. Networks that CheckDomain refuses are left out. Of two that say the same, the earlier is believed.
func NewBook(all []Network) *Book {
	b := &Book{zones: map[string]string{}, above: map[string]bool{Root: true}, hosts: map[string]host{}, whose: map[netip.Addr]string{}}
	for _, n := range all {
		if CheckDomain(n.Domain) != nil {
			continue
		}
		if _, ok := b.zones[n.Domain]; !ok {
			b.zones[n.Domain] = n.Name
		}
		for d := parent(n.Domain); !b.above[d]; d = parent(d) {
			b.above[d] = true
		}
		b.ranges = append(b.ranges, n.Ranges...)
		for _, h := range n.Hosts {
			b.add(n, h)
		}
	}
	return b
}

func (b *Book) add(n Network, h Host) {
	full := h.Name + "." + n.Domain
	if _, ok := b.hosts[full]; ok {
		return
	}
	b.hosts[full] = host{h.Addrs, n.Name}
	for _, a := range h.Addrs {
		if _, ok := b.whose[a]; !ok {
			b.whose[a] = full
		}
	}
}

// Size is how many machines have names.
func (b *Book) Size() int { return len(b.hosts) }

// parent is a name without its first label; "" has none.
func parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// within reports whether a name is a domain or below it.
func within(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}
