package names

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func addrs(all ...string) (out []netip.Addr) {
	for _, a := range all {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func prefixes(all ...string) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// office and depot are two networks of one tenant, and evil is one whose controller would answer for others.
func book() *Book {
	return NewBook([]Network{
		{Name: "office", Domain: "office.acme.cvlan.internal", Ranges: prefixes("10.77.0.0/16", "fd77::/48"), Hosts: []Host{
			{"laptop", addrs("10.77.0.1", "fd77::1")}, {"web-1", addrs("10.77.0.2", "fd77::2")}, {"old", addrs("10.77.0.3")}}},
		{Name: "depot", Domain: "depot.acme.cvlan.internal", Ranges: prefixes("10.80.16.0/20"), Hosts: []Host{{"web-1", addrs("10.80.17.2")}}},
		{Name: "evil", Domain: "example.com", Ranges: prefixes("192.0.2.0/24"), Hosts: []Host{{"www", addrs("192.0.2.1")}}},
	})
}

// ask makes a question; EDNS is how many bytes it allows, 0: none.
func ask(t testing.TB, name string, kind dnsmessage.Type, edns int) []byte {
	t.Helper()
	n, err := dnsmessage.NewName(name)
	if err != nil {
		t.Fatal(err)
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 4711, RecursionDesired: true}, Questions: []dnsmessage.Question{{Name: n, Type: kind, Class: dnsmessage.ClassINET}}}
	if edns > 0 {
		var h dnsmessage.ResourceHeader
		_ = h.SetEDNS0(edns, 0, false)
		m.Additionals = append(m.Additionals, dnsmessage.Resource{Header: h, Body: &dnsmessage.OPTResource{}})
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// said is an answer in short.
func said(t testing.TB, v Verdict, out []byte) string {
	t.Helper()
	if v != Reply {
		return [...]string{"drop", "", "forward"}[v]
	}
	var m dnsmessage.Message
	if err := m.Unpack(out); err != nil {
		t.Fatalf("the answer cannot be read: %v", err)
	}
	words := []string{strings.ToLower(strings.TrimPrefix(m.RCode.String(), "RCode"))}
	for _, r := range m.Answers {
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			words = append(words, netip.AddrFrom4(b.A).String())
		case *dnsmessage.AAAAResource:
			words = append(words, netip.AddrFrom16(b.AAAA).String())
		case *dnsmessage.PTRResource:
			words = append(words, b.PTR.String())
		default:
			words = append(words, fmt.Sprintf("%T", b))
		}
	}
	for _, r := range m.Authorities {
		words = append(words, "of", r.Header.Name.String())
	}
	return strings.Join(words, " ")
}

func TestQuestionsAndAnswers(t *testing.T) {
	const (
		a, aaaa, ptr, mx, all = dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypePTR, dnsmessage.TypeMX, dnsmessage.TypeALL
		office                = "office.acme.cvlan.internal."
	)
	for _, x := range []struct {
		name string
		kind dnsmessage.Type
		want string
	}{
		{"web-1." + office, a, "success 10.77.0.2"},
		{"web-1." + office, aaaa, "success fd77::2"},
		{"WEB-1.Office.ACME.cvlan.INTERNAL.", a, "success 10.77.0.2"},
		{"web-1.depot.acme.cvlan.internal.", a, "success 10.80.17.2"},
		{"laptop." + office, all, "success 10.77.0.1 fd77::1"},
		{"old." + office, aaaa, "success of " + office},
		{"web-1." + office, mx, "success of " + office},
		{"hidden." + office, a, "nameerror of " + office},
		{"www.web-1." + office, a, "nameerror of " + office},
		{office, a, "success of " + office},
		{office, dnsmessage.TypeSOA, "success *dnsmessage.SOAResource"},
		{"acme.cvlan.internal.", a, "success of cvlan.internal."},
		{"web-1.lab.acme.cvlan.internal.", a, "nameerror of cvlan.internal."},
		{"cvlan.internal.", a, "success of cvlan.internal."},
		{"notcvlan.internal.", a, "forward"},
		{"web-1.", a, "forward"},
		{"www.example.com.", a, "forward"},
		{"2.0.77.10.in-addr.arpa.", ptr, "success web-1." + office},
		{"2.0.77.10.IN-ADDR.arpa.", ptr, "success web-1." + office},
		{"9.0.77.10.in-addr.arpa.", ptr, "nameerror of 77.10.in-addr.arpa."},
		{"0.77.10.in-addr.arpa.", ptr, "success of 77.10.in-addr.arpa."},
		{"77.10.in-addr.arpa.", ptr, "success of 77.10.in-addr.arpa."},
		{"b._dns-sd._udp.0.0.77.10.in-addr.arpa.", ptr, "nameerror of 77.10.in-addr.arpa."},
		{"10.in-addr.arpa.", ptr, "forward"},
		{"2.17.80.10.in-addr.arpa.", ptr, "success web-1.depot.acme.cvlan.internal."},
		{"2.32.80.10.in-addr.arpa.", ptr, "forward"},
		{"1.2.0.192.in-addr.arpa.", ptr, "forward"},
		{"002.0.77.10.in-addr.arpa.", ptr, "nameerror of 77.10.in-addr.arpa."},
		{"2." + strings.Repeat("0.", 27) + "7.7.d.f.ip6.arpa.", ptr, "success web-1." + office},
		{"3." + strings.Repeat("0.", 27) + "7.7.d.f.ip6.arpa.", ptr, "nameerror of " + strings.Repeat("0.", 8) + "7.7.d.f.ip6.arpa."},
		{"in-addr.arpa.", ptr, "forward"},
	} {
		v, out := book().Answer(ask(t, x.name, x.kind, 0), false, nil)
		if got := said(t, v, out); got != x.want {
			t.Errorf("%v of %s: %s, want %s", x.kind, x.name, got, x.want)
		}
	}
}

func TestTheQuestionComesBackAsItWasAsked(t *testing.T) {
	_, out := book().Answer(ask(t, "wEb-1.office.acme.cvlan.internal.", dnsmessage.TypeA, 0), false, nil)
	var m dnsmessage.Message
	if err := m.Unpack(out); err != nil {
		t.Fatal(err)
	}
	if got := m.Questions[0].Name.String(); got != "wEb-1.office.acme.cvlan.internal." || m.ID != 4711 || !m.Response || !m.RecursionDesired || !m.RecursionAvailable {
		t.Errorf("the answer is %+v", m)
	}
	if got := m.Answers[0].Header.TTL; got != ttl {
		t.Errorf("it holds for %d s", got)
	}
}

func TestAnAnswerThatIsTooLongIsTruncated(t *testing.T) {
	var many []netip.Addr
	for i := range 100 {
		many = append(many, netip.AddrFrom4([4]byte{10, 77, 1, byte(i)}))
	}
	b := NewBook([]Network{{Domain: "o.a.cvlan.internal", Hosts: []Host{{"many", many}}}})
	for _, x := range []struct {
		edns      int
		stream    bool
		truncated bool
	}{{0, false, true}, {4096, false, true}, {100, false, true}, {0, true, false}, {512, true, false}} {
		_, out := b.Answer(ask(t, "many.o.a.cvlan.internal.", dnsmessage.TypeA, x.edns), x.stream, []byte("before"))
		var m dnsmessage.Message
		if err := m.Unpack(out[len("before"):]); err != nil {
			t.Fatal(err)
		}
		if m.Truncated != x.truncated || (len(m.Answers) == 100) == x.truncated || (len(m.Additionals) == 1) != (x.edns > 0) {
			t.Errorf("with EDNS of %d, stream %v: truncated %v, %d answers", x.edns, x.stream, m.Truncated, len(m.Answers))
		}
	}
	few := NewBook([]Network{{Domain: "o.a.cvlan.internal", Hosts: []Host{{"many", many[:50]}}}})
	if _, out := few.Answer(ask(t, "many.o.a.cvlan.internal.", dnsmessage.TypeA, 4096), false, nil); len(out) <= plainUDP || len(out) > MaxUDP {
		t.Errorf("an answer between the bounds has %d bytes", len(out))
	}
}

func TestWhatBreaksTheProtocol(t *testing.T) {
	good := ask(t, "web-1.office.acme.cvlan.internal.", dnsmessage.TypeA, 1232)
	changed := func(f func(b []byte) []byte) []byte { return f(slices.Clone(good)) }
	for name, x := range map[string]struct {
		msg  []byte
		want string
	}{
		"nothing":          {nil, "drop"},
		"half a header":    {good[:7], "drop"},
		"an answer":        {changed(func(b []byte) []byte { b[2] |= 0x80; return b }), "drop"},
		"an update":        {changed(func(b []byte) []byte { b[2] |= 5 << 3; return b }), "notimplemented"},
		"no question":      {changed(func(b []byte) []byte { b[5] = 0; return b[:12] }), "formaterror"},
		"two questions":    {changed(func(b []byte) []byte { b[5] = 2; return b }), "formaterror"},
		"cut question":     {good[:20], "formaterror"},
		"cut EDNS":         {good[:len(good)-3], "formaterror"},
		"class chaos":      {changed(func(b []byte) []byte { b[len(b)-11-1] = 3; return b }), "refused"},
		"EDNS version one": {changed(func(b []byte) []byte { b[len(b)-5] = 1; return b }), "success"}, // with the upper bits in EDNS
	} {
		v, out := book().Answer(x.msg, false, nil)
		if got := said(t, v, out); got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	_, out := book().Answer(changed(func(b []byte) []byte { b[len(b)-5] = 1; return b }), false, nil)
	var m dnsmessage.Message
	if err := m.Unpack(out); err != nil {
		t.Fatal(err)
	}
	if code := m.Additionals[0].Header.ExtendedRCode(m.RCode); code != badVers {
		t.Errorf("EDNS of another version is answered with code %d", code)
	}
}

func TestRefuseNamesACode(t *testing.T) {
	v, out := Refuse(ask(t, "www.example.com.", dnsmessage.TypeA, 0), dnsmessage.RCodeServerFailure, nil)
	if got := said(t, v, out); got != "serverfailure" {
		t.Error(got)
	}
	if v, _ := Refuse([]byte("x"), dnsmessage.RCodeServerFailure, nil); v != Drop {
		t.Error("noise is answered")
	}
}

func TestReverseZonesHoldTheRangeAndNothingElse(t *testing.T) {
	for r, want := range map[string]string{
		"10.77.0.0/16":  "77.10.in-addr.arpa",
		"10.77.3.0/24":  "3.77.10.in-addr.arpa",
		"100.64.0.0/14": "64.100.in-addr.arpa 65.100.in-addr.arpa 66.100.in-addr.arpa 67.100.in-addr.arpa",
		"10.77.0.4/31":  "4.0.77.10.in-addr.arpa 5.0.77.10.in-addr.arpa",
		"fd77:1:2::/48": "2.0.0.0.1.0.0.0.7.7.d.f.ip6.arpa",
		"fd00::/7":      "c.f.ip6.arpa d.f.ip6.arpa",
		"10.0.0.0/8":    "10.in-addr.arpa",
		"0.0.0.0/0":     "in-addr.arpa",
		"2000::/3":      "2.ip6.arpa 3.ip6.arpa",
	} {
		if got := strings.Join(ReverseZones(netip.MustParsePrefix(r)), " "); got != want {
			t.Errorf("%s: %s, want %s", r, got, want)
		}
	}
	if got := len(ReverseZones(netip.MustParsePrefix("10.128.0.0/9"))); got != 128 {
		t.Errorf("a range of nine bits has %d zones", got)
	}
}

func TestADomainElsewhereHasNoNames(t *testing.T) {
	for domain, ok := range map[string]bool{"office.acme.cvlan.internal": true, "example.com": false, "cvlan.internal": false, "evilcvlan.internal": false} {
		if err := CheckDomain(domain); (err == nil) != ok {
			t.Errorf("%s: %v", domain, err)
		}
	}
	if n := book().Size(); n != 4 {
		t.Errorf("%d machines have names", n)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"web-1.office.acme.cvlan.internal.", "2.0.77.10.in-addr.arpa.", "1.7.7.d.f.ip6.arpa.", "www.example.com."} {
		f.Add(ask(f, name, dnsmessage.TypeA, 1232), false)
		f.Add(ask(f, name, dnsmessage.TypePTR, 0), true)
	}
	b := book()
	f.Fuzz(func(t *testing.T, msg []byte, stream bool) {
		v, out := b.Answer(msg, stream, nil)
		if v != Reply {
			if len(out) > 0 {
				t.Fatal("an answer that is none")
			}
			return
		}
		var p dnsmessage.Parser
		h, err := p.Start(out)
		if err != nil || !h.Response || h.ID != uint16(msg[0])<<8|uint16(msg[1]) {
			t.Fatalf("answered with %+v, %v", h, err)
		}
		if !stream && len(out) > MaxUDP {
			t.Fatalf("%d bytes", len(out))
		}
		var m dnsmessage.Message
		if err := m.Unpack(out); err != nil {
			t.Fatalf("the answer cannot be read: %v", err)
		}
		for _, q := range m.Questions {
			if q.Class == dnsmessage.ClassINET && h.RCode == dnsmessage.RCodeSuccess && !b.Look(Canonical(q.Name.String())).Ours {
				t.Fatalf("answered for %s", q.Name)
			}
		}
	})
}
