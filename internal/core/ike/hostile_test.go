package ike

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// forge lets an authenticated peer, or one that only has the keys, send a request of its own making, and returns what comes back.
func (s *sa) forge(t testing.TB, x msg.Exchange, ps []msg.Payload) []byte {
	t.Helper()
	datagrams, err := s.seal(s.header(x, s.next, 0), ps)
	if err != nil {
		t.Fatal(err)
	}
	if len(datagrams) != 1 {
		t.Fatal("it is in fragments")
	}
	return datagrams[0]
}

// ask hands the other side a request that s forges, and opens the answer; nil: there is none.
func (w *world) ask(from int, x msg.Exchange, ps ...msg.Payload) []msg.Payload {
	w.t.Helper()
	a, b := w.side[from], w.side[1-from]
	s := a.m.sessions[a.id()].sa
	w.lawless = true
	raw := s.forge(w.t, x, ps)
	b.m.Datagram(w.now, b.path(), raw, &b.out)
	var answer []msg.Payload
	for _, tr := range b.out.Transmits {
		m, err := msg.Parse(tr.Data)
		if err != nil || !m.Has(msg.Response) || m.ID != s.next {
			continue
		}
		in, err := s.unseal(m, bytes.Clone(tr.Data), &pieces{}, Path{})
		if err != nil {
			w.t.Fatal(err)
		}
		answer = append(in.payloads, nil)
	}
	b.flush()
	s.next++
	if answer == nil {
		return nil
	}
	return answer[:len(answer)-1]
}

func esp(spi uint32) msg.SA {
	p, _ := crypt.NewProfile(crypt.Modern)
	return crypt.Propose(p.First(), spi4(spi))
}

// What an authenticated peer may get wrong, or mean ill: the answer is an error, and everything else goes on. The classes are those
// of CVE-2013-6467, 2015-3240, 2016-3071, 2016-5391, 2023-23009, 2023-38710, 2023-41913, 2025-39797 and 2025-39965.
func TestRequestsThatMakeNoSense(t *testing.T) {
	nonce := msg.Nonce(bytes.Repeat([]byte{7}, 32))
	ts := everything()
	profile, _ := crypt.NewProfile(crypt.Modern)
	rekey := func(spi []byte) msg.SA { return crypt.Propose(profile.Plain(), spi) }
	group14 := crypt.Propose([]msg.Proposal{{Protocol: msg.ProtocolESP, Transforms: []msg.Transform{
		{Type: msg.Encryption, ID: msg.Encr3DES}, {Type: msg.Integrity, ID: msg.IntegSHA1}, {Type: msg.SequenceNumbers}}}}, spi4(4096))
	gcm := func(bits uint16) msg.Transform {
		return msg.Transform{Type: msg.Encryption, ID: msg.EncrAESGCM16, KeyBits: bits}
	}
	ah := msg.SA{{Number: 1, Protocol: msg.ProtocolAH, SPI: spi4(4096), Transforms: []msg.Transform{{Type: msg.Integrity, ID: msg.IntegSHA256}, {Type: msg.SequenceNumbers}}}}
	odd := crypt.Propose([]msg.Proposal{{Protocol: msg.ProtocolESP, Transforms: []msg.Transform{gcm(0), gcm(77), gcm(65535), {Type: msg.SequenceNumbers}}}}, spi4(4096))
	for name, c := range map[string]struct {
		exchange msg.Exchange
		payloads []msg.Payload
		want     msg.NotifyType // 0: an empty answer
	}{
		"no SA":                     {msg.CreateChildSA, []msg.Payload{nonce, msg.TSi(ts), msg.TSr(ts)}, msg.InvalidSyntax},
		"no nonce":                  {msg.CreateChildSA, []msg.Payload{esp(4096), msg.TSi(ts), msg.TSr(ts)}, msg.InvalidSyntax},
		"no traffic selectors":      {msg.CreateChildSA, []msg.Payload{esp(4096), nonce}, msg.InvalidSyntax},
		"one traffic selector":      {msg.CreateChildSA, []msg.Payload{esp(4096), nonce, msg.TSi(ts)}, msg.InvalidSyntax},
		"SPI 0":                     {msg.CreateChildSA, []msg.Payload{esp(0), nonce, msg.TSi(ts), msg.TSr(ts)}, msg.InvalidSyntax},
		"a reserved SPI":            {msg.CreateChildSA, []msg.Payload{esp(255), nonce, msg.TSi(ts), msg.TSr(ts)}, msg.InvalidSyntax},
		"an SPI that is used":       {msg.CreateChildSA, []msg.Payload{esp(0x30000001), nonce, msg.TSi(ts), msg.TSr(ts)}, msg.InvalidSyntax},
		"algorithms of yesterday":   {msg.CreateChildSA, []msg.Payload{group14, nonce, msg.TSi(ts), msg.TSr(ts)}, msg.NoProposalChosen},
		"keys of odd lengths":       {msg.CreateChildSA, []msg.Payload{odd, nonce, msg.TSi(ts), msg.TSr(ts)}, msg.NoProposalChosen},
		"rekey without SPI":         {msg.CreateChildSA, []msg.Payload{msg.Notify{Kind: msg.RekeySA}, esp(4096), nonce, msg.TSi(ts), msg.TSr(ts)}, msg.InvalidSyntax},
		"rekey of AH":               {msg.CreateChildSA, []msg.Payload{msg.Notify{Protocol: msg.ProtocolAH, SPI: spi4(0x30000001), Kind: msg.RekeySA}, esp(4096), nonce, msg.TSi(ts), msg.TSr(ts)}, msg.InvalidSyntax},
		"rekey of nothing":          {msg.CreateChildSA, []msg.Payload{msg.Notify{Protocol: msg.ProtocolESP, SPI: spi4(99999), Kind: msg.RekeySA}, esp(4096), nonce, msg.TSi(ts), msg.TSr(ts)}, msg.ChildSANotFound},
		"an IKE SA without a key":   {msg.CreateChildSA, []msg.Payload{rekey(make([]byte, 8)), nonce}, msg.InvalidSyntax},
		"an IKE SA with SPI 0":      {msg.CreateChildSA, []msg.Payload{rekey(make([]byte, 8)), nonce, msg.KE{Method: msg.KECurve25519, Data: bytes.Repeat([]byte{9}, 32)}}, msg.InvalidSyntax},
		"an IKE SA without SPI":     {msg.CreateChildSA, []msg.Payload{rekey(nil), nonce, msg.KE{Method: msg.KECurve25519, Data: bytes.Repeat([]byte{9}, 32)}}, msg.NoProposalChosen},
		"a key of zeros":            {msg.CreateChildSA, []msg.Payload{rekey([]byte("12345678")), nonce, msg.KE{Method: msg.KECurve25519, Data: make([]byte, 32)}}, msg.InvalidSyntax},
		"a key that is too short":   {msg.CreateChildSA, []msg.Payload{rekey([]byte("12345678")), nonce, msg.KE{Method: msg.KECurve25519, Data: make([]byte, 31)}}, msg.InvalidSyntax},
		"a key that is too long":    {msg.CreateChildSA, []msg.Payload{rekey([]byte("12345678")), nonce, msg.KE{Method: msg.KEP256, Data: bytes.Repeat([]byte{9}, 700)}}, msg.InvalidSyntax},
		"no point of the curve":     {msg.CreateChildSA, []msg.Payload{rekey([]byte("12345678")), nonce, msg.KE{Method: msg.KEP256, Data: bytes.Repeat([]byte{9}, 64)}}, msg.InvalidSyntax},
		"a method that is unknown":  {msg.CreateChildSA, []msg.Payload{rekey([]byte("12345678")), nonce, msg.KE{Method: 4711, Data: []byte{1}}}, msg.InvalidKE},
		"a second proof":            {msg.IKEAuth, []msg.Payload{msg.IDi(fqdn("root.example")), msg.Auth{Method: msg.AuthNull, Data: []byte{1}}}, msg.InvalidSyntax},
		"a late key exchange":       {msg.IKEIntermediate, []msg.Payload{msg.KE{Method: msg.KEMLKEM768, Data: make([]byte, 900)}}, msg.InvalidSyntax},
		"an early success of EAP":   {msg.IKEAuth, []msg.Payload{msg.EAP{Code: msg.EAPSuccess, ID: 1}}, msg.InvalidSyntax},
		"a follow-up key exchange":  {msg.IKEFollowupKE, []msg.Payload{msg.KE{Method: msg.KEMLKEM768, Data: []byte{1}}}, msg.InvalidSyntax},
		"an unknown exchange":       {msg.Exchange(99), nil, msg.InvalidSyntax},
		"a proposal of AH":          {msg.CreateChildSA, []msg.Payload{ah, nonce, msg.TSi(ts), msg.TSr(ts)}, msg.NoProposalChosen},
		"rekey of an IKE SA":        {msg.CreateChildSA, []msg.Payload{msg.Notify{Protocol: msg.ProtocolIKE, SPI: make([]byte, 8), Kind: msg.RekeySA}, esp(4096), nonce, msg.TSi(ts), msg.TSr(ts)}, msg.InvalidSyntax},
		"rekey of no protocol":      {msg.CreateChildSA, []msg.Payload{msg.Notify{SPI: spi4(0x30000001), Kind: msg.RekeySA}, esp(4096), nonce, msg.TSi(ts), msg.TSr(ts)}, msg.InvalidSyntax},
		"a Delete of nothing":       {msg.Informational, []msg.Payload{msg.Delete{Protocol: msg.ProtocolESP, SPIs: []uint32{1, 2, 3}}}, 0},
		"a Delete of AH":            {msg.Informational, []msg.Payload{msg.Delete{Protocol: msg.ProtocolAH, SPIs: []uint32{0x30000001}}}, 0},
		"a new home for whom stays": {msg.Informational, []msg.Payload{msg.Notify{Kind: msg.NoAdditionalAddresses}}, 0},
	} {
		w := met(t, 1, nil)
		b := w.side[1]
		answer := w.ask(0, c.exchange, c.payloads...)
		if answer == nil {
			t.Errorf("%s: no answer\n%s", name, w.story())
			continue
		}
		no, refused := msg.Refusal(answer)
		if refused != (c.want != 0) || no.Kind != c.want && refused {
			t.Errorf("%s: the answer is %v %s, want %s", name, refused, no.Kind, c.want)
		}
		if len(b.live) != 1 || len(b.up) != 1 || len(b.spis) != 1 || len(b.m.sas) != 1 {
			t.Errorf("%s: it left traces\n%s", name, w.story())
		}
	}
}

// Who asks for transport mode is answered with tunnel mode: the wish is not confirmed (§1.3.1).
func TestTransportModeIsAnsweredWithTunnelMode(t *testing.T) {
	w := met(t, 1, nil)
	answer := w.ask(0, msg.CreateChildSA, msg.Notify{Kind: msg.UseTransportMode}, esp(4096), msg.Nonce(bytes.Repeat([]byte{7}, 32)), msg.TSi(everything()), msg.TSr(everything()))
	_, confirmed := msg.Notified(answer, msg.UseTransportMode)
	if _, made := msg.First[msg.SA](answer); !made || confirmed || len(w.side[1].live) != 2 {
		t.Errorf("%v: %+v", confirmed, answer)
	}
}

// A critical payload that we do not know is named in the answer (§2.5).
func TestACriticalStranger(t *testing.T) {
	w := met(t, 1, nil)
	a, b := w.side[0], w.side[1]
	s := a.m.sessions[a.id()].sa
	h := s.header(msg.Informational, s.next, 0)
	plain := []byte{0, 0x80, 0, 4} // a payload of type 200, sealed by hand
	sealed, err := s.sealer.Seal(h, 200, plain)
	if err != nil {
		t.Fatal(err)
	}
	b.m.Datagram(w.now, b.path(), sealed, &b.out)
	m, err := msg.Parse(b.out.Transmits[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.unseal(m, bytes.Clone(b.out.Transmits[0].Data), &pieces{}, Path{})
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := msg.Notified(in.payloads, msg.UnsupportedCriticalPayload); !ok || !bytes.Equal(n.Data, []byte{200}) {
		t.Errorf("%+v", in.payloads)
	}
}

// Notifications where nobody expects them, of every kind that there is and of kinds of tomorrow, empty and not: they are answered, and everything goes on.
// AUTHENTICATION_FAILED is the one that ends a session (§2.21.2).
func TestNotificationsOutOfPlace(t *testing.T) {
	w := met(t, 1, nil)
	b := w.side[1]
	for kind := range msg.NotifyType(17000) {
		for _, data := range [][]byte{nil, {1}, {0, 31}, bytes.Repeat([]byte{7}, 64)} {
			if kind == msg.AuthenticationFailed {
				continue
			}
			if answer := w.ask(0, msg.Informational, msg.Notify{Kind: kind, Data: data}); answer == nil {
				t.Fatalf("%s with %d bytes has no answer\n%s", kind, len(data), w.story())
			}
			if len(b.up) != 1 || len(b.live) != 1 {
				t.Fatalf("%s with %d bytes ends something\n%s", kind, len(data), w.story())
			}
			b.events = nil
		}
	}
	if w.ask(0, msg.Informational, msg.Notify{Kind: msg.AuthenticationFailed}); len(b.up) > 0 {
		t.Error("a peer that does not believe us keeps its session")
	}
	for kind := range msg.NotifyType(17000) { // a stranger's
		if strings.HasPrefix(kind.String(), "notification ") && kind%1000 != 7 {
			continue
		}
		for _, data := range [][]byte{nil, bytes.Repeat([]byte{7}, 64)} {
			w := newWorld(t, 1, nil)
			b := w.side[1]
			in, _ := msg.Parse(bystander(t, 99))
			in.Payloads = append(in.Payloads, msg.Notify{Kind: kind, Data: data})
			raw, err := msg.Message{Header: in.Header, Payloads: in.Payloads}.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			b.m.Datagram(w.now, b.path(), raw, &b.out)
			if no, refused := msg.Refusal(inClear(b.out)); refused || len(b.m.halves) != 1 {
				t.Errorf("%s with %d bytes from a stranger: %s", kind, len(data), no.Kind)
			}
		}
	}
}

// Without the keys nothing can be done at all: whatever arrives, changed, cut, repeated or made up.
func TestMessagesThatAreNotAuthentic(t *testing.T) {
	w := met(t, 1, nil)
	a, b := w.side[0], w.side[1]
	s := a.m.sessions[a.id()].sa
	good := s.forge(t, msg.Informational, []msg.Payload{msg.Delete{Protocol: msg.ProtocolIKE}})
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		raw := bytes.Clone(good)
		switch rnd.IntN(4) {
		case 0:
			raw[rnd.IntN(len(raw))] ^= 1 << rnd.IntN(8)
		case 1:
			raw = raw[:rnd.IntN(len(raw))]
			if len(raw) >= 28 {
				binary.BigEndian.PutUint32(raw[24:], uint32(len(raw)))
			}
		case 2:
			raw = append(raw, byte(rnd.Uint32()))
			binary.BigEndian.PutUint32(raw[24:], uint32(len(raw)))
		case 3:
			for i := 28 + rnd.IntN(len(raw)-28); i < len(raw); i++ {
				raw[i] = byte(rnd.Uint32())
			}
		}
		if bytes.Equal(raw, good) {
			continue
		}
		b.m.Datagram(w.now, b.path(), raw, &b.out)
		if len(b.out.Transmits)+len(b.out.Events) > 0 {
			m, _ := msg.Parse(raw)
			_, hint := msg.Notified(inClear(b.out), msg.InvalidIKESPI) // for an SPI that is nobody's
			if len(b.out.Events) > 0 || m.Exchange == msg.Informational && !hint {
				t.Fatalf("%x is answered: %+v", raw, b.out)
			}
			b.out.Reset()
		}
	}
	if len(b.up) != 1 || len(b.live) != 1 {
		t.Error(w.story())
	}
}

// inClear is what the only message of out says in the clear.
func inClear(out Out) []msg.Payload {
	if len(out.Transmits) != 1 {
		return nil
	}
	m, _ := msg.Parse(out.Transmits[0].Data)
	return m.Payloads
}

// Every message of a meeting, repeated later to both, does nothing but bring back the last answer.
func TestReplays(t *testing.T) {
	w := newWorld(t, 1, nil)
	var all [2][][]byte
	w.watch = func(from int, data []byte) bool {
		all[1-from] = append(all[1-from], bytes.Clone(data))
		return true
	}
	w.side[0].initiate()
	w.run(time.Second)
	w.side[0].rekeyChild()
	w.run(time.Second)
	w.side[1].rekey()
	w.run(linger + replacedFor)
	w.watch = nil
	for _, s := range w.side {
		s.events = nil
		for _, data := range slices.Concat(all[s.n], all[1-s.n]) {
			s.m.Datagram(w.now, s.path(), bytes.Clone(data), &s.out)
			for _, tr := range s.out.Transmits {
				m, err := msg.Parse(tr.Data)
				if err != nil || !m.Has(msg.Response) {
					t.Errorf("%s asks for something", s.name)
				}
			}
			for _, e := range s.out.Events {
				s.note(e)
			}
			s.out.Reset()
		}
		if len(s.events) > 0 {
			t.Errorf("%s: %s\n%s", s.name, s.events[0].Kind, w.story())
		}
	}
	w.run(halfOpen + time.Second)
	w.agree(1)
}

// An initiator that leaves out the key exchange that protects from quantum computers is refused, even with the right secret.
func TestASkippedKeyExchange(t *testing.T) {
	w := newWorld(t, 1, nil)
	a := w.side[0]
	a.initiate()
	w.step(w.now.Add(time.Second)) // b answers
	for _, f := range w.flight {
		if f.to != 0 {
			continue
		}
		m, _ := msg.Parse(f.data)
		for _, s := range a.m.sas {
			if again, e := s.followInit(m, bytes.Clone(f.data), f.path); again || e != nil {
				t.Fatal(e)
			}
			s.pending, s.opening.additional = nil, nil
			if err := s.sendAuth(&a.out); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.flight = nil
	a.flush()
	w.run(time.Second)
	if e := w.side[1].last(EventRefused); e.Reason != NotProved || e.Detail != errSkipped.Error() {
		t.Errorf("%+v\n%s", e, w.story())
	}
}

// A bug of ours ends the session that met it, and not the process.
func TestABugEndsOneSession(t *testing.T) {
	w := met(t, 1, nil)
	b := w.side[1]
	x := b.m.sessions[b.id()]
	b.m.guard(x.sa, b.path(), &b.out, func() { panic("a bug") })
	if e := b.out.Events[0]; e.Kind != EventFault || e.Detail != "a bug" {
		t.Errorf("%+v", e)
	}
	if len(b.m.sessions)+len(b.m.sas) != 0 {
		t.Error("the session is still there")
	}
}

// Fragments that never become a message cost a bounded amount, also from a peer that has the keys.
func TestFragmentsAreBounded(t *testing.T) {
	var p pieces
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		total := uint16(1 + rnd.IntN(msg.MaxFragments))
		f := msg.SKF{First: msg.TypeNotify, Number: uint16(1 + rnd.IntN(int(total))), Total: total}
		plain := make([]byte, rnd.IntN(3000))
		_, whole, done := p.add(uint32(rnd.IntN(3)), f, plain)
		if done && len(whole) > msg.MaxMessage || p.bytes > msg.MaxMessage || len(p.parts) > msg.MaxFragments {
			t.Fatalf("%d bytes in %d pieces", p.bytes, len(p.parts))
		}
	}
}
