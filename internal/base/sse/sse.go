// Package sse writes and reads server-sent events: the form in which both doors send what changes while somebody watches.
//
// Of the format (WHATWG HTML, section 9.2) it writes events with one line of JSON as their data, and comments as heartbeats; it
// reads those and everything else that the format allows, within a bound.
package sse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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

// Reader reads events one after the other. Between two of them it holds no more than a few KiB, however large they are.
type Reader struct{ r *bufio.Reader }

// NewReader returns a reader of r that takes at most MaxEvent bytes for an event.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReader(r)} }

// Next returns the next event; io.EOF when the stream has ended between events, io.ErrUnexpectedEOF when within one.
func (r *Reader) Next() (Event, error) {
	e := Event{Name: "message"}
	some := false
	for {
		line, err := r.line()
		switch {
		case err == io.EOF && some:
			return Event{}, io.ErrUnexpectedEOF
		case err != nil:
			return Event{}, err
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0 && some:
			return e, nil
		case len(line) == 0:
			e.Name = "message"
		case string(field) == "event":
			e.Name = string(value)
		case string(field) == "data" && !some:
			e.Data, some = value, true
		case string(field) == "data":
			if e.Data = append(append(e.Data, '\n'), value...); len(e.Data) > MaxEvent {
				return Event{}, errTooLong
			}
		}
	}
}

var errTooLong = fmt.Errorf("an event is longer than %d bytes", MaxEvent)

// line returns the next line, without its end; io.EOF after the last. It is the caller's.
func (r *Reader) line() (line []byte, err error) {
	for err = bufio.ErrBufferFull; err == bufio.ErrBufferFull; {
		var part []byte
		part, err = r.r.ReadSlice('\n')
		if line = append(line, part...); len(line) > MaxEvent {
			return nil, errTooLong
		}
	}
	if err != nil && (err != io.EOF || len(line) == 0) {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}
