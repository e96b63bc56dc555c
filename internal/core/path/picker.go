package path

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// MaxCandidates bounds the addresses of one peer that are tried.
const MaxCandidates = 16

// A session is renewed between these ages. An earlier attempt means that the peer fell silent, a later one that the session was
// idle past its end; both are the times of WireGuard (REKEY_AFTER_TIME and REJECT_AFTER_TIME).
const (
	renewFrom  = 120 * time.Second
	renewUntil = 180 * time.Second
)

// Patience is how long an unanswered opening may still be answered: when the next one goes out the one before is void
// (REKEY_TIMEOUT).
const Patience = 5 * time.Second

// Kind says what a Pick tells.
type Kind uint8

// The kinds.
const (
	PathProven Kind = iota + 1 // the peer has answered from Addr
	PathLost                   // Addr was proven and may not hold any more; every candidate is being tried
)

// Pick is something that the owner of a Picker may want to act upon or log.
type Pick struct {
	Kind Kind
	Addr netip.AddrPort
}

// Out is what a call of a Picker decided. The caller owns and reuses it; calls append.
type Out struct {
	Transmits []netip.AddrPort // where a copy of the latest opening goes, in this order
	Events    []Pick
}

// Reset empties an Out for the next call.
func (o *Out) Reset() { o.Transmits, o.Events = o.Transmits[:0], o.Events[:0] }

// Picker knows where one peer might be and where it was. It is not safe for concurrent use. The zero Picker is ready.
type Picker struct {
	// Refused is where no peer is besides what Forbidden says: the overlay's own addresses, and Loopback unless tunnels of one host may
	// meet. It may be shared.
	Refused    []netip.Prefix
	candidates []netip.AddrPort
	proven     netip.AddrPort
	heard      mono.Time // when proven answered last; Never after silence
	asked      mono.Time // the latest opening that is unanswered; Never if none is
}

// Proven returns the address that answered last, even if it may not hold any more; invalid if none ever did.
func (p *Picker) Proven() netip.AddrPort { return p.proven }

// Candidates returns what is tried besides Proven. The slice is the Picker's.
func (p *Picker) Candidates() []netip.AddrPort { return p.candidates }

// SetCandidates replaces the addresses to try, most wanted first. What cannot be an address of a peer, and all beyond
// MaxCandidates, is left out. While an opening waits for its answer, new addresses get their copy at once.
func (p *Picker) SetCandidates(now mono.Time, all []netip.AddrPort, out *Out) {
	old := p.candidates
	p.candidates = make([]netip.AddrPort, 0, min(len(all), MaxCandidates))
	for _, a := range all {
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		if len(p.candidates) < MaxCandidates && p.takes(a) && !slices.Contains(p.candidates, a) {
			p.candidates = append(p.candidates, a)
		}
	}
	if p.asked.IsNever() || now.Sub(p.asked) >= Patience {
		return
	}
	for _, a := range p.candidates {
		if a != p.proven && !slices.Contains(old, a) {
			out.Transmits = append(out.Transmits, a)
		}
	}
}

// Open asks where an opening goes. using is where the owner sends to at the moment, which is sure of its own packets only: it
// may have heard from an address that was not reported by Heard; invalid if it has none.
func (p *Picker) Open(now mono.Time, using netip.AddrPort, out *Out) {
	renewal := using.IsValid() && p.asked.IsNever() && !p.heard.IsNever() && within(now.Sub(p.heard))
	p.asked = now
	if renewal {
		out.Transmits = append(out.Transmits, using)
		return
	}
	if p.proven.IsValid() && !p.heard.IsNever() {
		out.Events = append(out.Events, Pick{PathLost, p.proven})
	}
	p.heard = mono.Never
	p.all(using, out)
}

func within(age time.Duration) bool { return age >= renewFrom && age < renewUntil }

// all appends every address once: the one in use, the proven one, the candidates.
func (p *Picker) all(using netip.AddrPort, out *Out) {
	first := len(out.Transmits)
	add := func(a netip.AddrPort) {
		if to := out.Transmits[first:]; a.IsValid() && len(to) < MaxCandidates && !slices.Contains(to, a) {
			out.Transmits = append(out.Transmits, a)
		}
	}
	add(using)
	add(p.proven)
	for _, a := range p.candidates {
		add(a)
	}
}

// Heard tells that the peer has answered from an address.
func (p *Picker) Heard(now mono.Time, from netip.AddrPort, out *Out) {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if from != p.proven || p.heard.IsNever() {
		out.Events = append(out.Events, Pick{PathProven, from})
	}
	p.proven, p.heard, p.asked = from, now, mono.Never
}

// Wake tells that our own network has changed, so that nothing proven may hold. If an opening waits for its answer, all addresses
// get a copy at once; otherwise the next opening goes to all.
func (p *Picker) Wake(now mono.Time, out *Out) {
	if p.proven.IsValid() && !p.heard.IsNever() {
		out.Events = append(out.Events, Pick{PathLost, p.proven})
	}
	p.heard = mono.Never
	if !p.asked.IsNever() && now.Sub(p.asked) < Patience {
		p.all(netip.AddrPort{}, out)
	}
}

func (p *Picker) takes(a netip.AddrPort) bool {
	r := refusal{prefixes: p.Refused, loopback: true}
	return r.takes(a)
}

// usable reports whether a peer can be at an address at all.
func usable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.IsValid() && a.Port() != 0 && !ip.IsUnspecified() && !ip.IsMulticast() && ip.Zone() == "" && ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
