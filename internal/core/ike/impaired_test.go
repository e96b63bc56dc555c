package ike

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// first are the parts of a stranger's IKE_SA_INIT, to be spoiled.
type first struct {
	head  msg.Header
	sa    msg.SA
	ke    msg.KE
	nonce msg.Nonce
	more  []msg.Payload
	order []msg.Payload // in place of all of them
	spoil func(raw []byte)
}

func (f first) append(t testing.TB) []byte {
	t.Helper()
	ps := f.order
	if ps == nil {
		ps = append([]msg.Payload{f.sa, f.ke, f.nonce}, f.more...)
	}
	raw, err := msg.Message{Header: f.head, Payloads: ps}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.spoil != nil {
		f.spoil(raw)
	}
	return raw
}

// transform adds a transform to every proposal of an offer.
func (f *first) transform(tr msg.Transform) {
	for i := range f.sa {
		f.sa[i].Transforms = append(f.sa[i].Transforms, tr)
	}
}

// keyBits has all keys of AES be so long; 0: the attribute is left out.
func (f *first) keyBits(n uint16) {
	for i := range f.sa {
		var out []msg.Transform
		for _, tr := range f.sa[i].Transforms {
			if tr.ID == msg.EncrAESGCM16 && tr.Type == msg.Encryption {
				tr.KeyBits = n
			}
			if tr.ID != msg.EncrChaCha20 || tr.Type != msg.Encryption {
				out = append(out, tr)
			}
		}
		f.sa[i].Transforms = out
	}
}

// What a stranger may get wrong in its first message, or mean ill: it is answered as it should be, and nothing of it is remembered unless it is
// all right after all.
func TestFirstMessagesThatMakeNoSense(t *testing.T) {
	const taken, silence = msg.NotifyType(0), msg.NotifyType(65535)
	for name, c := range map[string]struct {
		spoil func(f *first)
		want  msg.NotifyType
	}{
		"nothing":                     {func(*first) {}, taken},
		"no SA":                       {func(f *first) { f.order = []msg.Payload{f.ke, f.nonce} }, msg.InvalidSyntax},
		"no KE":                       {func(f *first) { f.order = []msg.Payload{f.sa, f.nonce} }, msg.InvalidSyntax},
		"no nonce":                    {func(f *first) { f.order = []msg.Payload{f.sa, f.ke} }, msg.InvalidSyntax},
		"nothing at all":              {func(f *first) { f.order = []msg.Payload{} }, msg.InvalidSyntax},
		"KE twice, the second poison": {func(f *first) { f.more = []msg.Payload{msg.KE{Method: f.ke.Method, Data: make([]byte, 32)}} }, taken},
		"KE of zeros":                 {func(f *first) { f.ke.Data = make([]byte, 32) }, msg.InvalidSyntax},
		"KE of one byte":              {func(f *first) { f.ke.Data = []byte{7} }, msg.InvalidSyntax},
		"KE of a kilobyte":            {func(f *first) { f.ke.Data = bytes.Repeat([]byte{7}, 1024) }, msg.InvalidSyntax},
		"KE of no bytes":              {func(f *first) { f.spoil = emptyKE }, msg.InvalidSyntax},
		"KE of another method":        {func(f *first) { f.ke.Method = msg.KEModp2048 }, msg.InvalidKE},
		"KE of no method":             {func(f *first) { f.ke.Method = msg.KENone }, msg.InvalidKE},
		"a nonce of half the PRF":     {func(f *first) { f.nonce = f.nonce[:16] }, msg.InvalidSyntax},
		"no group":                    {func(f *first) { f.without(msg.KeyExchange) }, msg.NoProposalChosen},
		"the group NONE":              {func(f *first) { f.without(msg.KeyExchange); f.transform(msg.Transform{Type: msg.KeyExchange}) }, msg.NoProposalChosen},
		"no PRF":                      {func(f *first) { f.without(msg.PRF) }, msg.NoProposalChosen},
		"no cipher":                   {func(f *first) { f.without(msg.Encryption) }, msg.NoProposalChosen},
		"the cipher NULL": {func(f *first) {
			f.without(msg.Encryption)
			f.transform(msg.Transform{Type: msg.Encryption, ID: msg.EncrNull})
		}, msg.NoProposalChosen},
		"integrity NONE":             {func(f *first) { f.transform(msg.Transform{Type: msg.Integrity}) }, taken},
		"integrity beside an AEAD":   {func(f *first) { f.transform(msg.Transform{Type: msg.Integrity, ID: msg.IntegSHA256}) }, msg.NoProposalChosen},
		"a transform of no type":     {func(f *first) { f.transform(msg.Transform{Type: 99, ID: 7}) }, msg.NoProposalChosen},
		"an ID of tomorrow":          {func(f *first) { f.transform(msg.Transform{Type: msg.Encryption, ID: 60000}) }, taken},
		"keys without length":        {func(f *first) { f.keyBits(0) }, msg.NoProposalChosen},
		"keys of 77 bits":            {func(f *first) { f.keyBits(77) }, msg.NoProposalChosen},
		"keys of 65535 bits":         {func(f *first) { f.keyBits(65535) }, msg.NoProposalChosen},
		"a proposal of ESP":          {func(f *first) { f.sa = esp(4096) }, msg.NoProposalChosen},
		"a cookie that is not asked": {func(f *first) { f.more = []msg.Payload{msg.Notify{Kind: msg.Cookie, Data: []byte("made up")}} }, taken},
		"no signature hashes":        {func(f *first) { f.more = nil }, taken},
		"hashes of tomorrow":         {func(f *first) { f.more = []msg.Payload{msg.Notify{Kind: msg.SignatureHashes, Data: []byte{9, 9, 9}}} }, taken},
		"a payload of tomorrow":      {func(f *first) { f.spoil = func(raw []byte) { raw[16] = 200 } }, msg.InvalidSyntax}, // in place of SA
		"a critical one":             {func(f *first) { f.spoil = func(raw []byte) { raw[16], raw[29] = 200, raw[29]|0x80 } }, msg.UnsupportedCriticalPayload},
		"reserved bits of payloads":  {func(f *first) { f.spoil = func(raw []byte) { raw[29] |= 0x7f } }, taken},
		"reserved flags":             {func(f *first) { f.spoil = func(raw []byte) { raw[19] |= 0xc7 } }, taken},
		"version 2.15":               {func(f *first) { f.spoil = func(raw []byte) { raw[17] |= 0x0f } }, taken},
		"version 3":                  {func(f *first) { f.spoil = func(raw []byte) { raw[17] = 0x30 } }, silence},
		"version 1":                  {func(f *first) { f.spoil = func(raw []byte) { raw[17] = 0x10 } }, silence},
		"the SPI 0":                  {func(f *first) { f.spoil = func(raw []byte) { clear(raw[:8]) } }, silence},
		"an SPI of ours":             {func(f *first) { f.head.SPIr = 7 }, silence},
		"the message ID 1":           {func(f *first) { f.head.ID = 1 }, silence},
		"from a responder":           {func(f *first) { f.head.Flags = 0 }, silence},
		"an answer":                  {func(f *first) { f.head.Flags |= msg.Response }, silence},
		"a length that lies":         {func(f *first) { f.spoil = func(raw []byte) { raw[27]++ } }, silence},
		"a payload that loops":       {func(f *first) { f.spoil = func(raw []byte) { raw[30], raw[31] = 0, 0 } }, msg.InvalidSyntax},
		"a payload that is too long": {func(f *first) { f.spoil = func(raw []byte) { raw[30] = 0xff } }, msg.InvalidSyntax},
		"9 KB":                       {func(f *first) { f.more = []msg.Payload{msg.Vendor(make([]byte, 9000))} }, silence},
		"it is encrypted":            {func(f *first) { f.order = []msg.Payload{msg.SK{First: msg.TypeSA, Body: make([]byte, 64)}} }, msg.InvalidSyntax},
		"a fragment": {func(f *first) {
			f.order = []msg.Payload{msg.SKF{First: msg.TypeSA, Number: 1, Total: 2, Body: make([]byte, 64)}}
		}, msg.InvalidSyntax},
	} {
		w := newWorld(t, 1, nil)
		b := w.side[1]
		in, _ := msg.Parse(bystander(t, 99))
		f := first{head: in.Header, sa: in.Payloads[0].(msg.SA), ke: in.Payloads[1].(msg.KE), nonce: in.Payloads[2].(msg.Nonce)}
		c.spoil(&f)
		raw := f.append(t)
		b.m.Datagram(w.now, Path{Local: b.addr, Remote: netip.MustParseAddrPort("10.1.2.3:500")}, raw, &b.out)
		answer := inClear(b.out)
		no, refused := msg.Refusal(answer)
		switch {
		case len(b.out.Events) > 0:
			t.Errorf("%s: %+v", name, b.out.Events)
		case c.want == taken && (refused || len(answer) == 0 || len(b.m.halves) != 1):
			t.Errorf("%s: is refused: %s", name, no.Kind)
		case c.want == silence && len(answer) > 0:
			t.Errorf("%s: is answered: %+v", name, answer)
		case c.want != taken && c.want != silence && no.Kind != c.want, no.Kind == msg.UnsupportedCriticalPayload && !bytes.Equal(no.Data, []byte{200}):
			t.Errorf("%s: the answer is %+v, want %s", name, answer, c.want)
		case c.want == msg.InvalidSyntax && len(b.m.halves) == 1: // it has cost a key exchange, and counts
			w.run(halfOpen + time.Second)
			if len(b.m.halves)+len(b.m.sas)+len(b.m.sources) > 0 {
				t.Errorf("%s: it is remembered", name)
			}
		case c.want != taken && len(b.m.halves)+len(b.m.sas)+len(b.m.sources) > 0:
			t.Errorf("%s: it is remembered", name)
		}
	}
}

// emptyKE takes all data out of the KE payload of a message, which is its second.
func emptyKE(raw []byte) {
	sa := 28 + int(raw[30])<<8 + int(raw[31])
	raw[sa+2], raw[sa+3] = 0, 8
}

// without takes all transforms of a type out of the offer.
func (f *first) without(kind msg.TransformType) {
	for i := range f.sa {
		var out []msg.Transform
		for _, tr := range f.sa[i].Transforms {
			if tr.Type != kind {
				out = append(out, tr)
			}
		}
		f.sa[i].Transforms = out
	}
}

// halfMet is a world in which a has got the answer to its IKE_SA_INIT, and has not proved itself yet. What it sends next is up to the test.
func halfMet(t *testing.T) (w *world, s *sa) {
	t.Helper()
	w = newWorld(t, 1, func(_ int, c *Config, _ *Peer) { c.Profile.IKE, c.Fragment = c.Profile.Plain(), 8192 })
	a := w.side[0]
	a.initiate()
	w.step(w.now.Add(time.Second)) // b answers
	m, _ := msg.Parse(w.flight[0].data)
	for _, s = range a.m.sas {
		if again, e := s.followInit(m, bytes.Clone(w.flight[0].data), w.flight[0].path); again || e != nil {
			t.Fatal(e)
		}
	}
	w.flight, s.pending = nil, nil
	return w, s
}

// What an initiator may get wrong in its proof, or mean ill, though it has the secret: there is no session, and the answer does not say why.
func TestProofsThatMakeNoSense(t *testing.T) {
	type parts struct {
		id   msg.IDi
		auth msg.Auth
		all  []msg.Payload // in place of both
		more []msg.Payload
	}
	child := func() []msg.Payload { return []msg.Payload{esp(4096), msg.TSi(everything()), msg.TSr(everything())} }
	for name, c := range map[string]struct {
		spoil    func(p *parts)
		sessions int
		children int
	}{
		"nothing":                  {func(p *parts) { p.more = child() }, 1, 1},
		"no AUTH":                  {func(p *parts) { p.all = []msg.Payload{p.id} }, 0, 0},
		"no identity":              {func(p *parts) { p.all = []msg.Payload{p.auth} }, 0, 0},
		"nothing at all":           {func(p *parts) { p.all = []msg.Payload{} }, 0, 0},
		"another identity":         {func(p *parts) { p.id = msg.IDi(fqdn("c.example")) }, 0, 0},
		"the responder's identity": {func(p *parts) { p.id = msg.IDi(fqdn("b.example")) }, 0, 0},
		"another kind of identity": {func(p *parts) { p.id.Kind = msg.IDEmail }, 0, 0},
		"nobody":                   {func(p *parts) { p.id = msg.IDi{Kind: msg.IDNobody} }, 0, 0},
		"reserved bits":            {func(p *parts) { p.id.Reserved = [3]byte{1, 2, 3} }, 0, 0}, // AUTH covers them
		"the method NULL":          {func(p *parts) { p.auth.Method = msg.AuthNull }, 0, 0},
		"the method RSA":           {func(p *parts) { p.auth.Method = msg.AuthRSA }, 0, 0},
		"the method signature":     {func(p *parts) { p.auth, _ = msg.NewSignature([]byte{0x30, 0}, p.auth.Data) }, 0, 0},
		"a method of tomorrow":     {func(p *parts) { p.auth.Method = 201 }, 0, 0},
		"a changed proof":          {func(p *parts) { p.auth.Data[3] ^= 1 }, 0, 0},
		"half a proof":             {func(p *parts) { p.auth.Data = p.auth.Data[:len(p.auth.Data)/2] }, 0, 0},
		"a proof and a half":       {func(p *parts) { p.auth.Data = append(p.auth.Data, 0) }, 0, 0},
		"a wrong proof before": {func(p *parts) {
			p.all = []msg.Payload{p.id, msg.Auth{Method: msg.AuthSharedKey, Data: make([]byte, 48)}, p.auth}
		}, 0, 0},
		"EAP in place of a proof":   {func(p *parts) { p.all = append([]msg.Payload{p.id}, child()...) }, 0, 0},
		"an early success of EAP":   {func(p *parts) { p.all = []msg.Payload{p.id, msg.EAP{Code: msg.EAPSuccess, ID: 1}} }, 0, 0},
		"certificates nobody wants": {func(p *parts) { p.more = []msg.Payload{msg.Cert{Encoding: msg.CertX509, Data: []byte("garbage")}} }, 0, 0},
		"certificates as PKCS #7":   {func(p *parts) { p.more = []msg.Payload{msg.Cert{Encoding: 1, Data: []byte("garbage")}} }, 0, 0},
		"no Child SA":               {func(*parts) {}, 1, 0},
		"no selectors":              {func(p *parts) { p.more = child()[:1] }, 1, 0},
		"the SPI 0":                 {func(p *parts) { p.more = append([]msg.Payload{esp(0)}, child()[1:]...) }, 1, 0},
		"a payload of tomorrow":     {func(p *parts) { p.more = []msg.Payload{msg.Unknown{Kind: 200, Body: []byte{1}}} }, 1, 0},
	} {
		w, s := halfMet(t)
		w.lawless = true
		a, b := w.side[0], w.side[1]
		auth, err := a.peer.Credential.Prove(s.prf, s.m.cfg.Profile.Signatures, nil, s.transcript(true, a.peer.Local, s.next))
		if err != nil {
			t.Fatal(err)
		}
		p := parts{id: msg.IDi(a.peer.Local), auth: auth}
		p.id.Data = bytes.Clone(p.id.Data)
		c.spoil(&p)
		if p.all == nil {
			p.all = append([]msg.Payload{p.id, p.auth}, p.more...)
		}
		b.m.Datagram(w.now, b.path(), s.forge(t, msg.IKEAuth, p.all), &b.out)
		if b.flush(); len(b.up) != c.sessions || len(b.live) != c.children || len(b.m.halves) > 0 {
			t.Errorf("%s: %d sessions, %d Child SAs, %d half-open SAs\n%s", name, len(b.up), len(b.live), len(b.m.halves), w.story())
		}
		if c.sessions == 0 && b.count(EventRefused) != 1 {
			t.Errorf("%s: nobody is told\n%s", name, w.story())
		}
	}
}
