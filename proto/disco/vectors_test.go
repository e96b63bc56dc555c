package disco

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// vector is one datagram with all that goes into it, for other implementations to check themselves against.
type vector struct {
	Sender   string `json:"sender_private"`
	Receiver string `json:"receiver_private"`
	Index    uint64 `json:"index,string"`
	Nonce    string `json:"nonce"`
	Message  string `json:"message"`
	Datagram string `json:"datagram"`
	About    form   `json:"about"`
}

// form is a Message for readers.
type form struct {
	Kind       Kind             `json:"kind"`
	ID         uint64           `json:"id,string"`
	Size       int              `json:"size,omitempty"`
	Addresses  []netip.AddrPort `json:"addresses,omitempty"`
	Mapping    string           `json:"mapping,omitempty"`
	StartIn    uint16           `json:"start_in_ms,omitempty"`
	Candidates []string         `json:"candidates,omitempty"`
	Part       []uint8          `json:"step_index_count,omitempty"`
}

func about(m *Message) form {
	f := form{Kind: m.Kind, ID: m.ID, Size: m.Size, Addresses: m.Addresses, StartIn: m.StartIn}
	if m.Kind == Offer {
		f.Mapping = m.Mapping.String()
	}
	for _, c := range m.Candidates {
		f.Candidates = append(f.Candidates, c.Kind.String()+" "+c.Addr.String())
	}
	if m.Kind == Part {
		f.Part = []uint8{m.Step, m.Index, m.Of}
	}
	return f
}

func TestTheVectorsHold(t *testing.T) {
	a, b, pa, pb := pairs(t)
	one, two := privates()
	var made []vector
	for i, m := range messages() {
		nonce := [NonceSize]byte{byte(i + 1), 0xff}
		plain, err := m.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := a.Seal(nil, nonce, &m)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, vector{hex.EncodeToString(one.Bytes()), hex.EncodeToString(two.Bytes()), Index(pa, pb),
			hex.EncodeToString(nonce[:]), hex.EncodeToString(plain), hex.EncodeToString(d), about(&m)})
		if got, err := b.Open(d); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("vector %d opens as %+v, %v", i, got, err)
		}
	}
	text, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile("testdata/vectors.json", text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/vectors.json")
	if err != nil || !bytes.Equal(want, text) {
		t.Fatalf("testdata/vectors.json differs (%v): the wire changed; if that is meant, go test -update", err)
	}
}
