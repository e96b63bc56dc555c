package names

import (
	"errors"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Bounds of messages, in bytes.
const (
	MaxUDP     = 1232 // of an answer over UDP, whatever the question allows: what passes everywhere in one piece
	plainUDP   = 512  // without EDNS (RFC 1035, section 4.2.1)
	MaxMessage = 65535
)

// Times to live, in seconds: maps change, and programs on the same machine ask again for next to nothing.
const (
	ttl         = 30
	negativeTTL = 5
)

// Verdict says what is to be done about a question.
type Verdict uint8

// The verdicts.
const (
	Drop    Verdict = iota // no answer: it is none, or is too short to be one
	Reply                  // the answer is there
	Forward                // it is about names that are not ours
)

// Answer judges a message and appends the answer, if there is one, to out. Stream says that it came over TCP.
func (b *Book) Answer(msg []byte, stream bool, out []byte) (Verdict, []byte) {
	q, code := read(msg, stream)
	if code == errDrop {
		return Drop, out
	} else if code != nil {
		return q.reply(code.code, nil, out)
	}
	name := Canonical(q.question.Name.String())
	f := b.Look(name)
	if !f.Ours {
		return Forward, out
	}
	if code := q.readRest(); code != nil {
		return q.reply(code.code, nil, out)
	}
	rcode := dnsmessage.RCodeNameError
	if f.Exists {
		rcode = dnsmessage.RCodeSuccess
	}
	return q.reply(rcode, func(m *dnsmessage.Builder) error { return q.records(m, name, f) }, out)
}

// Refuse appends the answer to a message that nobody answers, with a code, to out.
func Refuse(msg []byte, code dnsmessage.RCode, out []byte) (Verdict, []byte) {
	q, bad := read(msg, true)
	if bad == errDrop {
		return Drop, out
	}
	return q.reply(code, nil, out)
}

// Canonical is a name as the book has it: without the final dot, its ASCII letters small (RFC 4343).
func Canonical(name string) string {
	small := []byte(strings.TrimSuffix(name, "."))
	for i, c := range small {
		if c >= 'A' && c <= 'Z' {
			small[i] = c + 'a' - 'A'
		}
	}
	return string(small)
}

// query is a question as far as it has been read.
type query struct {
	parser   dnsmessage.Parser
	header   dnsmessage.Header
	question dnsmessage.Question
	asked    bool // question was read
	stream   bool
	edns     bool
	size     int // bytes that EDNS says the asker takes
	version  uint8
}

// fault is a response code that ends the reading.
type fault struct{ code dnsmessage.RCode }

func (f *fault) Error() string { return f.code.String() }

var (
	errDrop  = &fault{}
	formErr  = &fault{dnsmessage.RCodeFormatError}
	notImp   = &fault{dnsmessage.RCodeNotImplemented}
	refused  = &fault{dnsmessage.RCodeRefused}
	badVersF = &fault{badVers}
)

// badVers is a code of which EDNS carries the upper bits (RFC 6891, section 9).
const badVers dnsmessage.RCode = 16

// read reads header and question.
func read(msg []byte, stream bool) (q query, f *fault) {
	q.stream = stream
	h, err := q.parser.Start(msg)
	if q.header = h; err != nil || h.Response {
		return q, errDrop
	}
	if h.OpCode != 0 {
		return q, notImp
	}
	if q.question, err = q.parser.Question(); err != nil {
		return q, formErr
	}
	q.asked = true
	if _, err := q.parser.Question(); !errors.Is(err, dnsmessage.ErrSectionDone) {
		return q, formErr
	}
	if q.question.Class != dnsmessage.ClassINET {
		return q, refused
	}
	return q, nil
}

// readRest reads what comes behind the question, of which only EDNS counts.
func (q *query) readRest() *fault {
	if q.parser.SkipAllAnswers() != nil || q.parser.SkipAllAuthorities() != nil {
		return formErr
	}
	for {
		h, err := q.parser.AdditionalHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		} else if err != nil || h.Type == dnsmessage.TypeOPT && q.edns || q.parser.SkipAdditional() != nil {
			return formErr
		}
		if h.Type == dnsmessage.TypeOPT {
			q.edns, q.size, q.version = true, int(h.Class), uint8(h.TTL>>16)
		}
	}
	if q.version != 0 {
		return badVersF
	}
	return nil
}

// limit is how long an answer may be.
func (q *query) limit() int {
	switch {
	case q.stream:
		return MaxMessage
	case !q.edns:
		return plainUDP
	default:
		return min(max(q.size, plainUDP), MaxUDP)
	}
}

// reply appends an answer, without records where those make it too long.
func (q *query) reply(code dnsmessage.RCode, records func(*dnsmessage.Builder) error, out []byte) (Verdict, []byte) {
	whole, err := q.build(code, records, false, out)
	if err == nil && len(whole)-len(out) > q.limit() {
		whole, err = q.build(code, nil, true, out)
	}
	if err != nil {
		return Drop, out
	}
	return Reply, whole
}

func (q *query) build(code dnsmessage.RCode, records func(*dnsmessage.Builder) error, truncated bool, out []byte) ([]byte, error) {
	m := dnsmessage.NewBuilder(out, dnsmessage.Header{
		ID: q.header.ID, Response: true, OpCode: q.header.OpCode, RCode: code & 15, Authoritative: records != nil || truncated, Truncated: truncated,
		RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true, CheckingDisabled: q.header.CheckingDisabled})
	m.EnableCompression()
	if q.asked {
		if err := errors.Join(m.StartQuestions(), m.Question(q.question)); err != nil {
			return nil, err
		}
	}
	if records != nil {
		if err := records(&m); err != nil {
			return nil, err
		}
	}
	if q.edns {
		var h dnsmessage.ResourceHeader
		if err := errors.Join(m.StartAdditionals(), h.SetEDNS0(MaxUDP, code, false), m.OPTResource(h, dnsmessage.OPTResource{})); err != nil {
			return nil, err
		}
	}
	return m.Finish()
}

// records writes the answer section, or that there is nothing.
func (q *query) records(m *dnsmessage.Builder, name string, f Found) error {
	if err := m.StartAnswers(); err != nil {
		return err
	}
	h := dnsmessage.ResourceHeader{Name: q.question.Name, Class: dnsmessage.ClassINET, TTL: ttl}
	wants := func(t dnsmessage.Type) bool { return q.question.Type == t || q.question.Type == dnsmessage.TypeALL }
	count := 0
	for _, a := range f.Addrs {
		var err error
		switch {
		case a.Is4() && wants(dnsmessage.TypeA):
			err = m.AResource(h, dnsmessage.AResource{A: a.As4()})
		case a.Is6() && wants(dnsmessage.TypeAAAA):
			err = m.AAAAResource(h, dnsmessage.AAAAResource{AAAA: a.As16()})
		default:
			continue
		}
		if count++; err != nil {
			return err
		}
	}
	if f.Name != "" && wants(dnsmessage.TypePTR) {
		to, err := dnsmessage.NewName(f.Name + ".")
		if err != nil {
			return err
		}
		count++
		if err := m.PTRResource(h, dnsmessage.PTRResource{PTR: to}); err != nil {
			return err
		}
	}
	if name == f.Zone && f.Exists && wants(dnsmessage.TypeSOA) {
		count++
		if err := authority(m, f.Zone, ttl); err != nil {
			return err
		}
	}
	if count > 0 {
		return nil
	}
	if err := m.StartAuthorities(); err != nil {
		return err
	}
	return authority(m, f.Zone, negativeTTL)
}

// authority writes a zone's SOA record, whose last number says how long "there is none" holds (RFC 2308, section 5).
func authority(m *dnsmessage.Builder, zone string, seconds uint32) error {
	z, err := dnsmessage.NewName(zone + ".")
	if err != nil {
		return err
	}
	h := dnsmessage.ResourceHeader{Name: z, Class: dnsmessage.ClassINET, TTL: seconds}
	return m.SOAResource(h, dnsmessage.SOAResource{NS: z, MBox: z, Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, MinTTL: negativeTTL})
}
