package sse

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWhatWasWrittenIsRead(t *testing.T) {
	var b bytes.Buffer
	for _, v := range []any{map[string]string{"a": "line\nbreak"}, 7} {
		if err := errors.Join(Beat(&b), Write(&b, "status", v)); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(&b)
	for _, want := range []string{`{"a":"line\nbreak"}`, "7"} {
		if e, err := r.Next(); err != nil || e.Name != "status" || string(e.Data) != want {
			t.Fatalf("got %s %s, %v; want %s", e.Name, e.Data, err, want)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Fatalf("at the end: %v", err)
	}
}

func TestForeignStreamsAreReadToo(t *testing.T) {
	r := NewReader(strings.NewReader(": hello\r\nid: 4\r\ndata:one\r\ndata: two\r\n\r\nevent: lost\n\ndata: torn"))
	if e, err := r.Next(); err != nil || e.Name != "message" || string(e.Data) != "one\ntwo" {
		t.Fatalf("got %+v, %v", e, err)
	}
	if _, err := r.Next(); err != io.ErrUnexpectedEOF {
		t.Fatalf("a torn event: %v", err)
	}
}

func FuzzNext(f *testing.F) {
	f.Add("event: status\ndata: {}\n\n")
	f.Add(":\n\ndata: a\ndata: b\r\n\n")
	f.Fuzz(func(t *testing.T, s string) {
		for r := NewReader(strings.NewReader(s)); ; {
			e, err := r.Next()
			if err != nil {
				return
			}
			if len(e.Data) > len(s) {
				t.Fatalf("%d bytes of data from %d", len(e.Data), len(s))
			}
		}
	})
}
