package quantum

import (
	"bytes"
	"crypto/mlkem"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab/spec"
)

var update = flag.Bool("update", false, "write docs/protocol/quantum.md and testdata/vector.json anew")

const vectors = "testdata/vector.json"

func TestTheSpecificationIsPublished(t *testing.T) {
	spec.Page{Package: "internal/core/quantum", Name: "quantum", Title: "The post-quantum preshared key",
		More: "\n## Vector\n\n`internal/core/quantum/testdata/vector.json` has one exchange with everything that goes into it.\n"}.Check(t, *update)
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
