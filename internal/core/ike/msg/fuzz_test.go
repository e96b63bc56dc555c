package msg

import (
	"bytes"
	"reflect"
	"testing"
)

// Whatever arrives is either refused with an error that says where, or understood: written again it means the same, and what is
// written does not change any more.
func FuzzParse(f *testing.F) {
	for _, m := range samples(f) {
		f.Add(encode(f, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		readAndWrite(t, b)
		b = bytes.Clone(b)        // the fuzzer keeps its own
		if len(b) >= HeaderSize { // few inputs guess their length, and the rest of them is worth reading
			setLength(b, len(b))
			readAndWrite(t, b)
		}
	})
}

func readAndWrite(t *testing.T, b []byte) {
	before := bytes.Clone(b)
	m, err := Parse(b)
	if !bytes.Equal(b, before) {
		t.Fatal("reading wrote")
	}
	if err != nil {
		checkError(t, err, len(b))
		return
	}
	if h, err := ParseHeader(b); err != nil || h != m.Header {
		t.Fatalf("header %+v, %v; message %+v", h, err, m.Header)
	}
	written := encode(t, m)
	again, err := Parse(written)
	if err != nil || !reflect.DeepEqual(again, m) {
		t.Fatalf("%+v becomes %+v, %v", m, again, err)
	}
	if twice := encode(t, again); !bytes.Equal(twice, written) || len(written) != len(b) {
		t.Fatalf("%x becomes %x, then %x", b, written, twice)
	}
	use(m.Payloads)
}

// The same for what is found inside SK, whose bytes a peer made that may have proven nothing yet.
func FuzzChain(f *testing.F) {
	for _, m := range samples(f) {
		f.Add(byte(firstOf(m.Payloads)), encode(f, m)[HeaderSize:])
	}
	f.Fuzz(func(t *testing.T, first byte, b []byte) {
		ps, err := Chain(PayloadType(first), b)
		if err != nil {
			checkError(t, err, len(b))
			return
		}
		was, written, err := AppendChain(nil, ps)
		if err != nil || was != PayloadType(first) {
			t.Fatalf("%+v cannot be written: %v", ps, err)
		}
		if again, err := Chain(was, written); err != nil || !reflect.DeepEqual(again, ps) {
			t.Fatalf("%+v becomes %+v, %v", ps, again, err)
		}
		use(ps)
	})
}

// use calls what looks into payloads further than parsing does.
func use(ps []Payload) {
	for _, p := range ps {
		_ = p.Type().String()
		switch p := p.(type) {
		case SA:
			for _, proposal := range p {
				for _, t := range proposal.Transforms {
					_ = t.String()
				}
			}
		case CP:
			for _, c := range p.Attributes {
				c.Addr()
				c.Prefix()
			}
		case CertReq:
			for range p.Hashes() {
			}
		case IDi:
			Identity(p).Addr()
		case Notify:
			p.ChildSPI()
			_ = p.Kind.String()
		}
	}
}
