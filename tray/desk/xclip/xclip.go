// Package xclip owns the clipboard of an X server: whoever pastes asks the owner for the text, so the owner must stay. It speaks
// what it needs of the X protocol, version 11, and of the Inter-Client Communication Conventions, section 2: two atoms, one window that is
// never shown, and answers to SelectionRequest.
package xclip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// patience bounds each wait for the server.
const patience = 2 * time.Second

// Text is longer than any address, and fits one request of every server.
const maxText = 64 << 10

var le = binary.LittleEndian

// Predefined atoms, and requests and events by number.
const (
	atomAtom   = 4
	atomString = 31

	createWindow      = 1
	internAtom        = 16
	changeProperty    = 18
	setSelectionOwner = 22
	sendEvent         = 25

	selectionClear   = 29
	selectionRequest = 30
	selectionNotify  = 31
	genericEvent     = 35
)

// names are the atoms that are asked for, in this order.
var names = [...]string{"CLIPBOARD", "TARGETS", "UTF8_STRING", "TEXT", "text/plain;charset=utf-8", "text/plain"}

// Owner owns the clipboard while it has a text. The zero value is ready.
type Owner struct {
	mu     sync.Mutex
	conn   net.Conn // nil: not connected
	done   chan struct{}
	window uint32
	atoms  [len(names)]uint32
	text   string
}

// Set makes text the content of the clipboard of a display, such as ":0". The first call connects.
func (o *Owner) Set(display string, getenv func(string) string, text string) error {
	if len(text) > maxText {
		return fmt.Errorf("clipboard: a text of %d bytes is too long", len(text))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn == nil {
		if err := o.connect(display, getenv); err != nil {
			return fmt.Errorf("clipboard of the X server %s: %w", display, err)
		}
	}
	o.text = text
	return o.send(words(head(setSelectionOwner, 0, 4), o.window, o.atoms[0], 0))
}

// Close gives the clipboard up. When it returns nothing of the owner runs.
func (o *Owner) Close() {
	o.mu.Lock()
	done := o.done
	o.drop()
	o.mu.Unlock()
	if done != nil {
		<-done
	}
}

// drop forgets the connection. The caller holds o.mu.
func (o *Owner) drop() {
	if o.conn != nil {
		o.conn.Close()
		o.conn = nil
	}
}

// connect opens the display, makes the window and asks for the atoms. The caller holds o.mu.
func (o *Owner) connect(display string, getenv func(string) string) error {
	at, err := parse(display)
	if err != nil {
		return err
	}
	c, err := at.dial()
	if err != nil {
		return err
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	o.conn = c
	if err := o.begin(at, getenv); err != nil {
		o.drop()
		return err
	}
	_ = c.SetDeadline(time.Time{})
	o.done = make(chan struct{})
	go o.serve(c, o.done)
	return nil
}

func (o *Owner) begin(at place, getenv func(string) string) error {
	base, root, err := setup(o.conn, cookie(at, getenv))
	if err != nil {
		return err
	}
	o.window = base | 1
	const inputOnly = 2
	if err := o.send(words(head(createWindow, 0, 8), o.window, root, 0, 1|1<<16, inputOnly<<16, 0, 0)); err != nil {
		return err
	}
	for i, name := range names {
		if o.atoms[i], err = o.atom(name); err != nil {
			return err
		}
	}
	return nil
}

// atom asks for the number of a name.
func (o *Owner) atom(name string) (uint32, error) {
	req := words(head(internAtom, 0, 2+(len(name)+3)/4), uint32(len(name)))
	if err := o.send(pad(append(req, name...))); err != nil {
		return 0, err
	}
	for {
		m, err := next(o.conn)
		switch {
		case err != nil:
			return 0, err
		case m[0] == 0:
			return 0, fmt.Errorf("it answers with error %d", m[1])
		case m[0] == 1:
			return le.Uint32(m[8:]), nil
		}
	}
}

// send writes a request. The caller holds o.mu; a server that does not read is given up.
func (o *Owner) send(b []byte) error {
	if o.conn == nil {
		return errors.New("the connection has gone")
	}
	_ = o.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := o.conn.Write(b); err != nil {
		o.drop()
		return fmt.Errorf("the X server does not take it: %w", err)
	}
	return nil
}

// head is the first word of a request of n words.
func head(request, data byte, n int) uint32 {
	return uint32(request) | uint32(data)<<8 | uint32(n)<<16
}

func words(all ...uint32) []byte {
	b := make([]byte, 0, 4*len(all))
	for _, w := range all {
		b = le.AppendUint32(b, w)
	}
	return b
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
