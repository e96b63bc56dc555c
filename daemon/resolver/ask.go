package resolver

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/cvlan/cvlan/internal/core/names"
)

// Errors of Ask.
var (
	ErrNotListening = errors.New("no network of this machine has names")
	ErrNoName       = errors.New("that is no name")
)

// Answer is what a program would be told.
type Answer struct {
	Name    string // in full
	Type    string // A, AAAA, PTR
	Code    string // NOERROR, NXDOMAIN, REFUSED, SERVFAIL or a number
	Records []string
	Ours    bool // it is from the book; else from who is asked about all other names
	Why     string
}

// Ask asks as programs do: a name without a dot is looked for in each of the search domains, and an address for its name.
func (r *Resolver) Ask(ctx context.Context, name string) (all []Answer, err error) {
	r.mu.Lock()
	s, search := r.server, r.state.Search
	r.mu.Unlock()
	if s == nil {
		return nil, ErrNotListening
	}
	if a, err := netip.ParseAddr(name); err == nil {
		one, err := s.askFor(ctx, reverseName(a.Unmap()), dnsmessage.TypePTR)
		return []Answer{one}, err
	}
	tries := []string{names.Canonical(name)}
	if !strings.Contains(name, ".") {
		tries = tries[:0]
		for _, d := range search {
			tries = append(tries, names.Canonical(name)+"."+d)
		}
	}
	for _, t := range tries {
		all = all[:0]
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			one, err := s.askFor(ctx, t, kind)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
		if all[0].Code == "NOERROR" {
			break
		}
	}
	if len(all) == 0 {
		return nil, ErrNoName
	}
	return all, nil
}

// askFor asks one question, and has the book say why it is answered so.
func (s *server) askFor(ctx context.Context, name string, kind dnsmessage.Type) (a Answer, err error) {
	full, err := dnsmessage.NewName(name + ".")
	if err != nil || name == "" || strings.Contains(name, "..") || strings.HasPrefix(name, ".") {
		return a, ErrNoName
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{RecursionDesired: true}, Questions: []dnsmessage.Question{{Name: full, Type: kind, Class: dnsmessage.ClassINET}}}
	msg, err := m.Pack()
	if err != nil {
		return a, ErrNoName
	}
	a = Answer{Name: name, Type: strings.TrimPrefix(kind.String(), "Type")}
	found := s.book.Load().Look(name)
	a.Ours, a.Why = found.Ours, found.Why
	var out dnsmessage.Message
	if err := out.Unpack(s.answer(ctx, msg)); err != nil {
		return a, fmt.Errorf("read the answer: %w", err)
	}
	a.Code = codeName(out.RCode)
	for _, r := range out.Answers {
		if text := record(r.Body); text != "" {
			a.Records = append(a.Records, text)
		}
	}
	return a, nil
}

func codeName(c dnsmessage.RCode) string {
	switch c {
	case dnsmessage.RCodeSuccess:
		return "NOERROR"
	case dnsmessage.RCodeNameError:
		return "NXDOMAIN"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	}
	return fmt.Sprintf("code %d", c)
}

func record(b dnsmessage.ResourceBody) string {
	switch b := b.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(b.A).String()
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(b.AAAA).String()
	case *dnsmessage.PTRResource:
		return strings.TrimSuffix(b.PTR.String(), ".")
	case *dnsmessage.CNAMEResource:
		return strings.TrimSuffix(b.CNAME.String(), ".")
	}
	return ""
}

// reverseName is where the name of an address stands.
func reverseName(a netip.Addr) string {
	var labels []string
	if a.Is4() {
		for _, b := range a.AsSlice() {
			labels = append([]string{fmt.Sprint(b)}, labels...)
		}
		return strings.Join(labels, ".") + ".in-addr.arpa"
	}
	raw := a.As16()
	for _, c := range hex.EncodeToString(raw[:]) {
		labels = append([]string{string(c)}, labels...)
	}
	return strings.Join(labels, ".") + ".ip6.arpa"
}
