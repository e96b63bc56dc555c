// Package sse writes and reads server-sent events: the form in which both doors send what changes while somebody watches.
//
// Of the format (WHATWG HTML, section 9.2) it writes events with one line of JSON as their data, and comments as heartbeats; it
// reads those and everything else that the format allows, within a bound.
package sse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ContentType is the media type of a stream of events.
const ContentType = "text/event-stream"

// MaxEvent bounds what Read takes for one event, in bytes.
const MaxEvent = 64 << 20

// Write writes one event whose data is v in JSON. The event's name must not be empty nor have line breaks.
func Write(w io.Writer, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", name, err)
	}
	var b bytes.Buffer
	b.Grow(len(name) + len(data) + 16)
	fmt.Fprintf(&b, "event: %s\ndata: ", name)
	b.Write(data)
	b.WriteString("\n\n")
	_, err = w.Write(b.Bytes())
	return err
}

// Beat writes a comment, which a reader skips: it tells both ends, and boxes between them, that the stream is alive.
func Beat(w io.Writer) error {
	_, err := io.WriteString(w, ":\n\n")
	return err
}

// Event is one event as it was read.
type Event struct {
	Name string // "message" if the stream gave none
	Data []byte
}

// Reader reads events one after the other.
type Reader struct{ s *bufio.Scanner }

// NewReader returns a reader of r that keeps at most MaxEvent bytes.
func NewReader(r io.Reader) *Reader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), MaxEvent)
	return &Reader{s}
}

// Next returns the next event; io.EOF when the stream has ended between events, io.ErrUnexpectedEOF when within one.
func (r *Reader) Next() (Event, error) {
	e := Event{Name: "message"}
	some := false
	for r.s.Scan() {
		line := strings.TrimSuffix(r.s.Text(), "\r")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && some:
			return e, nil
		case line == "":
			e.Name = "message"
		case field == "event":
			e.Name = value
		case field == "data":
			if some {
				e.Data = append(e.Data, '\n')
			}
			some = true
			if e.Data = append(e.Data, value...); len(e.Data) > MaxEvent {
				return Event{}, bufio.ErrTooLong
			}
		}
	}
	switch err := r.s.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Event{}, fmt.Errorf("an event is longer than %d bytes", MaxEvent)
	case err != nil:
		return Event{}, err
	case some:
		return Event{}, io.ErrUnexpectedEOF
	}
	return Event{}, io.EOF
}
