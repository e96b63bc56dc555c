package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestColoursBlocksAndTextBecomeAPicture(t *testing.T) {
	var out bytes.Buffer
	in := "\x1b[1;38;2;124;196;255mcvlan\x1b[m  a<b & c\n\x1b[48;5;17m \x1b[31m▄█\x1b[0;7mx\x1b[m\x1b[4mlink\x1b[24m\n"
	if err := run(strings.NewReader(in), &out, false); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(out.Bytes())); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, &out)
		}
	}
	for _, want := range []string{`fill="#7cc4ff" font-weight="bold">cvlan<`, "a&lt;b &amp; c", `fill="#00005f"`, `fill="#e06c75"`, `text-decoration="underline">link<`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
}
