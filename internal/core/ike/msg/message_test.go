package msg

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"testing"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	for name, m := range samples(t) {
		b := encode(t, m)
		got, err := Parse(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(got.Header, m.Header) || len(m.Payloads)+len(got.Payloads) > 0 && !reflect.DeepEqual(got.Payloads, m.Payloads) {
			t.Errorf("%s: read  %+v\nwrote %+v", name, got, m)
		}
		if h, err := ParseHeader(b); err != nil || h != m.Header {
			t.Errorf("%s: header %+v, %v", name, h, err)
		} else if h.Has(Response) != (name == "sealed" || name == "empty") {
			t.Errorf("%s: response %t", name, h.Has(Response))
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	b, err := rekeyRequest().Append([]byte{0, 0, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	if want := encode(t, rekeyRequest()); !bytes.Equal(b[:4], make([]byte, 4)) || !bytes.Equal(b[4:], want) {
		t.Errorf("%x, want %x after four zero bytes", b, want)
	}
}

func TestNoPartOfAMessageIsAMessage(t *testing.T) {
	for name, m := range samples(t) {
		b := encode(t, m)
		for n := range b {
			part := bytes.Clone(b[:n])
			if n >= HeaderSize {
				setLength(part, n) // so that the header cannot tell
			}
			if _, err := Parse(part); err == nil {
				t.Errorf("%s: %d of %d bytes are taken", name, n, len(b))
			}
		}
		longer := append(bytes.Clone(b), 0)
		if _, err := Parse(longer); err == nil {
			t.Errorf("%s: a byte after the end is taken", name)
		}
		setLength(longer, len(longer))
		if _, err := Parse(longer); err == nil {
			t.Errorf("%s: a byte after the last payload is taken", name)
		}
	}
}

func TestAFlippedBitDoesNoHarm(t *testing.T) {
	for name, m := range samples(t) {
		b := encode(t, m)
		for i := range len(b) * 8 {
			bad := patched(b, i/8, b[i/8]^1<<(i%8))
			got, err := Parse(bad)
			if err != nil {
				checkError(t, err, len(bad))
				continue
			}
			if again, err := Parse(encode(t, got)); err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("%s with bit %d flipped: %+v becomes %+v, %v", name, i, got, again, err)
			}
		}
	}
}

// checkError sees to it that err is worth something.
func checkError(t testing.TB, err error, size int) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v", err, err)
	}
	if e.Offset < 0 || e.Offset > size || e.Where == "" || e.Why == "" || e.Notify != InvalidSyntax && e.Notify != InvalidMajorVersion && e.Notify != UnsupportedCriticalPayload {
		t.Fatalf("%+v of %d bytes", e, size)
	}
}

func TestPayloadsAreNotCopiedAndCannotGrowIntoEachOther(t *testing.T) {
	b := encode(t, initRequest())
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(b)
	ke, _ := First[KE](m.Payloads)
	nonce, _ := First[Nonce](m.Payloads)
	cookie, _ := Notified(m.Payloads, Cookie)
	for _, part := range [][]byte{ke.Data, nonce, cookie.Data} {
		_ = append(part, 0xff, 0xff, 0xff, 0xff)
	}
	if !bytes.Equal(b, before) {
		t.Error("appending to a payload wrote into the next")
	}
	b[bytes.Index(b, ke.Data)] ^= 0xff
	if ke.Data[0] != 0x40^0xff {
		t.Error("the key exchange data is a copy")
	}
}

func TestAHeaderCostsNoAllocation(t *testing.T) {
	b := encode(t, initRequest())
	if n := testing.AllocsPerRun(100, func() { _, _ = ParseHeader(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The worst that we know of: whatever a message is full of, what it costs is bounded by its size.
func TestAHostileMessageAllocatesInProportion(t *testing.T) {
	transforms := make([]Transform, MaxTransforms)
	for i := range transforms {
		transforms[i].Unknown = []Attribute{{Type: 1}, {Type: 2}, {Type: 3}, {Type: 4}}
	}
	bomb := map[string]func() Payload{
		"transforms": func() Payload {
			return SA{{Number: 1, Protocol: ProtocolIKE, Transforms: make([]Transform, MaxTransforms)}}
		},
		"attributes": func() Payload { return SA{{Number: 1, Protocol: ProtocolIKE, Transforms: transforms}} },
		"config":     func() Payload { return CP{Attributes: make([]Config, MaxConfig)} },
		"selectors":  func() Payload { return TSi(make([]Selector, MaxSelectors)) },
		"nothing":    func() Payload { return Unknown{Kind: 99} },
	}
	for name, payload := range bomb {
		m := Message{Header: header(IKESAInit, 0, 0)}
		b := encode(t, m)
		for len(m.Payloads) < MaxPayloads {
			m.Payloads = append(m.Payloads, payload())
			longer, err := m.Append(nil)
			if err != nil {
				break
			}
			b = longer
		}
		if cost := cost(t, b); cost > 24*len(b) {
			t.Errorf("%s: %d bytes allocated for %d", name, cost, len(b))
		}
	}
}

func cost(t *testing.T, b []byte) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Parse(b); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

func TestPayloadsAreFoundByType(t *testing.T) {
	ps := initRequest().Payloads
	if sa, ok := First[SA](ps); !ok || len(sa) != 2 || sa[1].Of(PRF)[0].ID != PRFSHA256 {
		t.Errorf("%v %v", sa, ok)
	}
	if _, ok := First[Auth](ps); ok {
		t.Error("an AUTH out of nowhere")
	}
	if n := len(slices.Collect(All[Notify](ps))); n != 5 {
		t.Errorf("%d notifications", n)
	}
	if n, ok := Notified(ps, NATDetectionDestination); !ok || n.Data[0] != 3 {
		t.Errorf("%v %v", n, ok)
	}
	if n, ok := Refusal(ps); ok {
		t.Errorf("%v refuses nothing", n)
	}
	if n, ok := Refusal(append(ps, Notify{Kind: 9000})); !ok || n.Kind != 9000 {
		t.Error("an unknown error is none")
	}
}
