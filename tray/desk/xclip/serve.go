package xclip

import (
	"fmt"
	"io"
	"net"
	"slices"
)

// maxMessage bounds what a server may send at once; replies that we ask for have 32 bytes.
const maxMessage = 1 << 20

// next reads one reply, event or error; of a long one it returns the first 32 bytes.
func next(r io.Reader) (m [32]byte, err error) {
	if _, err = io.ReadFull(r, m[:]); err != nil {
		return m, err
	}
	if m[0] == 1 || m[0]&0x7f == genericEvent {
		more := int64(le.Uint32(m[4:])) * 4
		if more > maxMessage {
			return m, fmt.Errorf("a message of %d bytes", more)
		}
		_, err = io.CopyN(io.Discard, r, more)
	}
	return m, err
}

// serve answers those who paste, until the connection ends.
func (o *Owner) serve(c net.Conn, done chan struct{}) {
	defer close(done)
	for {
		m, err := next(c)
		o.mu.Lock()
		if err != nil {
			if o.conn == c {
				o.drop()
			}
			o.mu.Unlock()
			return
		}
		switch m[0] & 0x7f {
		case selectionClear: // somebody else has copied
			o.text = ""
		case selectionRequest:
			o.answer(request{le.Uint32(m[4:]), le.Uint32(m[12:]), le.Uint32(m[16:]), le.Uint32(m[20:]), le.Uint32(m[24:])})
		}
		o.mu.Unlock()
	}
}

// request is a SelectionRequest.
type request struct{ time, requestor, selection, target, property uint32 }

// answer stores what is asked for at the requestor's window and tells it. The caller holds o.mu.
func (o *Owner) answer(r request) {
	if r.property == 0 { // as very old clients ask
		r.property = r.target
	}
	clip, targets, texts := o.atoms[0], o.atoms[1], o.atoms[2:]
	switch {
	case r.selection != clip || o.text == "":
		r.property = 0
	case r.target == targets:
		all := append([]uint32{targets, atomString}, texts...)
		req := words(head(changeProperty, 0, 6+len(all)), r.requestor, r.property, atomAtom, 32, uint32(len(all)))
		_ = o.send(append(req, words(all...)...))
	case r.target == atomString || slices.Contains(texts, r.target):
		kind := r.target
		if kind == o.atoms[3] { // TEXT leaves the encoding to the owner
			kind = o.atoms[2]
		}
		req := words(head(changeProperty, 0, 6+(len(o.text)+3)/4), r.requestor, r.property, kind, 8, uint32(len(o.text)))
		_ = o.send(pad(append(req, o.text...)))
	default:
		r.property = 0
	}
	_ = o.send(words(head(sendEvent, 0, 11), r.requestor, 0, selectionNotify, r.time, r.requestor, r.selection, r.target, r.property, 0, 0))
}
