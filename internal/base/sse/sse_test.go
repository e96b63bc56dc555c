package sse

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
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

// TestALargeEventIsNotKept holds a reader, as a watch does for days, after an event of 8 MB.
func TestALargeEventIsNotKept(t *testing.T) {
	from, to := io.Pipe()
	defer from.Close()
	r := NewReader(from)
	held := func() uint64 {
		runtime.GC()
		runtime.GC() // what a pool has, it has until the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	for range 2 {
		var writer sync.WaitGroup
		writer.Go(func() { _ = Write(to, "status", strings.Repeat("x", 8<<20)) })
		if e, err := r.Next(); err != nil || len(e.Data) != 8<<20+2 {
			t.Fatal(len(e.Data), err)
		}
		writer.Wait() // it holds what it has written until then
	}
	if now := held(); now > before+1<<20 {
		t.Errorf("%d bytes are held after it, %d before", now, before)
	}
	runtime.KeepAlive(r)
}

// endless is a stream that repeats itself.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}

func TestAnEventIsBounded(t *testing.T) {
	for _, s := range []string{strings.Repeat("x", 1<<16), "data: " + strings.Repeat("x", 1<<16) + "\n"} {
		if e, err := NewReader(&endless{text: s}).Next(); err == nil || !strings.Contains(err.Error(), "longer than") {
			t.Errorf("%.8q for ever: %d bytes, %v", s, len(e.Data), err)
		}
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
