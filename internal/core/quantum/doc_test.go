package quantum

import (
	"bytes"
	"crypto/mlkem"
	"encoding/hex"
	"encoding/json"
	"flag"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
)

var update = flag.Bool("update", false, "write docs/protocol/quantum.md and testdata/vector.json anew")

const (
	page    = "../../../docs/protocol/quantum.md"
	vectors = "testdata/vector.json"
)

// TestTheSpecificationIsPublished keeps the page that people read the same as the package comment.
func TestTheSpecificationIsPublished(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var p comment.Parser
	text := (&comment.Printer{HeadingLevel: 2, HeadingID: func(*comment.Heading) string { return "" }}).Markdown(p.Parse(f.Doc.Text()))
	want := "<!-- Written by `go test ./internal/core/quantum -update` from internal/core/quantum/doc.go. -->\n# The post-quantum preshared key\n\n" + string(text) +
		"\n## Vector\n\n`internal/core/quantum/testdata/vector.json` has one exchange with everything that goes into it.\n"
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(page); string(got) != want {
		t.Errorf("%s is not what the code says; write it anew: go test ./internal/core/quantum -update", page)
	}
}

// vector is one exchange, for other implementations to check themselves against. All but the number is in hex.
type vector struct {
	Initiator  string `json:"initiator"`
	Responder  string `json:"responder"`
	Exchange   uint64 `json:"exchange"`
	Seed       string `json:"mlkem768_seed"`
	Ciphertext string `json:"ciphertext"`
	Secret     string `json:"secret"`
	Key        string `json:"key"`
	Answer     string `json:"proof_a"`
	Confirm    string `json:"proof_c"`
	Done       string `json:"proof_d"`
}

func TestTheVectorHolds(t *testing.T) {
	initiator, responder := key.WGPublic(bytes.Repeat([]byte{1}, 32)), key.WGPublic(bytes.Repeat([]byte{2}, 32))
	seed := bytes.Repeat([]byte{3}, mlkem.SeedSize)
	mine, err := mlkem.NewDecapsulationKey768(seed)
	if err != nil {
		t.Fatal(err)
	}
	offer := mine.EncapsulationKey().Bytes()
	var want vector
	if *update {
		_, ciphertext := mine.EncapsulationKey().Encapsulate()
		want.Ciphertext = hex.EncodeToString(ciphertext)
	} else if text, err := os.ReadFile(vectors); err != nil || json.Unmarshal(text, &want) != nil {
		t.Fatalf("%s: %v", vectors, err)
	}
	ciphertext, err := hex.DecodeString(want.Ciphertext)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := mine.Decapsulate(ciphertext)
	if err != nil {
		t.Fatal(err)
	}
	d := derive(secret, initiator, responder, 4, offer, ciphertext)
	hexed := func(b []byte) string { return hex.EncodeToString(b) }
	got := vector{hexed(initiator[:]), hexed(responder[:]), 4, hexed(seed), want.Ciphertext, hexed(secret), d.key.Hex(), hexed(d.answer[:]), hexed(d.confirm[:]), hexed(d.done[:])}
	if *update {
		text, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if want = got; os.WriteFile(vectors, append(text, '\n'), 0o644) != nil {
			t.Fatal("cannot write " + vectors)
		}
	}
	if got != want {
		t.Errorf("the exchange derives %+v, want %+v: the protocol has changed", got, want)
	}
}
