package main

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/cvlan/cvlan/cmd/internal/conf"
)

var update = flag.Bool("update", false, "write the reference of settings anew")

const reference = "../../docs/reference/config/cvland.md"

func TestTheReferenceNamesEverySetting(t *testing.T) {
	var s settings
	all, _ := s.flags()
	var want bytes.Buffer
	conf.Reference(&want, "cvland", envPrefix, defaultFile, all)
	if *update {
		if err := os.WriteFile(reference, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(reference); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the program says; write it anew: go test ./cmd/cvland -update", reference)
	}
}
