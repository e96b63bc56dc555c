package server

import (
	"bytes"
	"errors"
	"net"
	"testing"
)

// tape is a socket that keeps what is written to it, call by call.
type tape struct {
	net.Conn
	calls [][]byte
	err   error
}

func (t *tape) Write(b []byte) (int, error) {
	t.calls = append(t.calls, bytes.Clone(b))
	return len(b), t.err
}

func TestRecordsOfOneWriteLeaveTogether(t *testing.T) {
	to := &tape{}
	c := &cork{Conn: to}
	whole := bytes.Repeat([]byte("0123456789abcdef"), 3*recordSize/16)
	inRecords := func(b []byte) (int, error) { // as TLS does
		for rest := b; len(rest) > 0; {
			n := min(recordSize, len(rest))
			if _, err := c.Write(rest[:n]); err != nil {
				return 0, err
			}
			rest = rest[n:]
		}
		return len(b), nil
	}
	if err := c.together(inRecords, whole); err != nil || len(to.calls) != 1 || !bytes.Equal(to.calls[0], whole) {
		t.Fatalf("%v: %d calls", err, len(to.calls))
	}
	c.Write(whole[:100]) // an alert, say
	if len(to.calls) != 2 || len(to.calls[1]) != 100 {
		t.Error("what comes behind waits")
	}
	to.calls = nil
	more := bytes.Repeat(whole, 4) // more than is held
	if err := c.together(inRecords, more); err != nil || len(to.calls) != 2 || !bytes.Equal(bytes.Join(to.calls, nil), more) {
		t.Errorf("%v: %d calls", err, len(to.calls))
	}
	to.err = errors.New("cut")
	if err := c.together(inRecords, whole); !errors.Is(err, to.err) {
		t.Error("a failure is not told:", err)
	}
}
