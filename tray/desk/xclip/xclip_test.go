package xclip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const (
	theRoot   = 0x111
	theBase   = 0x400000
	requestor = 0x222
	property  = 77
)

// server is the other side of the protocol, as far as the owner uses it.
type server struct {
	t       *testing.T
	display string
	l       net.Listener
	c       net.Conn
	secret  []byte
	atoms   map[string]uint32
}

func newServer(t *testing.T) *server {
	for port := 7000; port < 7100; port++ {
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			s := &server{t: t, l: l, display: "127.0.0.1:" + strconv.Itoa(port-6000), atoms: map[string]uint32{}}
			t.Cleanup(func() { l.Close() })
			return s
		}
	}
	t.Fatal("no free port")
	return nil
}

// greet accepts and lets the client in if its cookie is right.
func (s *server) greet() error {
	var err error
	if s.c, err = s.l.Accept(); err != nil {
		return err
	}
	_ = s.c.SetDeadline(time.Now().Add(time.Minute))
	head := make([]byte, 12)
	if _, err := io.ReadFull(s.c, head); err != nil {
		return err
	}
	n, d := int(le.Uint16(head[6:])), int(le.Uint16(head[8:]))
	rest := make([]byte, (n+3)/4*4+(d+3)/4*4)
	if _, err := io.ReadFull(s.c, rest); err != nil {
		return err
	}
	if head[0] != 'l' || le.Uint16(head[2:]) != 11 || string(rest[:n]) != cookieName || !bytes.Equal(rest[(n+3)/4*4:][:d], s.secret) {
		reason := pad([]byte("no such cookie"))
		_, err := s.c.Write(append([]byte{0, 14, 11, 0, 0, 0, byte(len(reason) / 4), 0}, reason...))
		return errors.Join(err, errors.New("the client's cookie is wrong"))
	}
	vendor := pad([]byte("vendor"))
	body := make([]byte, 32)
	le.PutUint32(body[4:], theBase)
	le.PutUint16(body[16:], 6)
	body[20], body[21] = 1, 1 // a screen, a format
	body = append(append(append(body, vendor...), make([]byte, 8)...), words(theRoot, 0)...)
	_, err = s.c.Write(append([]byte{1, 0, 11, 0, 0, 0, byte(len(body) / 4), 0}, body...))
	return err
}

// read returns the next request, whole; atoms are answered on the way.
func (s *server) read() ([]byte, error) {
	for {
		head := make([]byte, 4)
		if _, err := io.ReadFull(s.c, head); err != nil {
			return nil, err
		}
		r := append(head, make([]byte, 4*int(le.Uint16(head[2:]))-4)...)
		if _, err := io.ReadFull(s.c, r[4:]); err != nil {
			return nil, err
		}
		if r[0] != internAtom {
			return r, nil
		}
		name := string(r[8:][:le.Uint16(r[4:])])
		s.atoms[name] = uint32(100 + len(s.atoms))
		reply := make([]byte, 32)
		reply[0] = 1
		le.PutUint32(reply[8:], s.atoms[name])
		event := make([]byte, 32) // something else in between
		event[0] = 22
		if _, err := s.c.Write(append(event, reply...)); err != nil {
			return nil, err
		}
	}
}

// paste asks for the clipboard in a form, and returns what is stored and with which type; nothing if it is refused.
func (s *server) paste(selection, target string) (kind uint32, data []byte) {
	s.t.Helper()
	e := make([]byte, 32)
	e[0] = selectionRequest
	for at, v := range map[int]uint32{4: 1234, 8: theBase | 1, 12: requestor, 16: s.atoms[selection], 20: s.atoms[target], 24: property} {
		le.PutUint32(e[at:], v)
	}
	if target == "STRING" {
		le.PutUint32(e[20:], atomString)
	}
	if _, err := s.c.Write(e); err != nil {
		s.t.Fatal(err)
	}
	for {
		r, err := s.read()
		if err != nil {
			s.t.Fatal(err)
		}
		switch r[0] {
		case changeProperty:
			if le.Uint32(r[4:]) != requestor || le.Uint32(r[8:]) != property {
				s.t.Fatalf("stored elsewhere: % x", r)
			}
			kind = le.Uint32(r[12:])
			data = r[24:][:le.Uint32(r[20:])*uint32(r[16])/8]
		case sendEvent:
			if ev := r[12:]; ev[0] != selectionNotify || le.Uint32(ev[4:]) != 1234 || le.Uint32(ev[8:]) != requestor || (le.Uint32(ev[20:]) == property) != (data != nil) {
				s.t.Fatalf("told % x", r)
			}
			return kind, data
		}
	}
}

// authority writes an Xauthority file with entries for other displays around the right one.
func authority(t *testing.T, display int, secret []byte) func(string) string {
	var b []byte
	for _, e := range []struct {
		family uint16
		number string
		data   []byte
	}{{256, strconv.Itoa(display + 1), []byte("wrong")}, {65535, strconv.Itoa(display), secret}, {0, "", []byte("wrong")}} {
		b = binary.BigEndian.AppendUint16(b, e.family)
		for _, part := range [][]byte{[]byte("host"), []byte(e.number), []byte(cookieName), e.data} {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(part))), part...)
		}
	}
	path := filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return func(name string) string { return map[string]string{"XAUTHORITY": path}[name] }
}

func TestWhoeverPastesGetsTheText(t *testing.T) {
	s := newServer(t)
	s.secret = []byte("0123456789abcdef")
	at, _ := parse(s.display)
	began := make(chan error, 1)
	go func() {
		if err := s.greet(); err != nil {
			began <- err
			return
		}
		for { // until the selection is taken
			r, err := s.read()
			if err != nil || r[0] == setSelectionOwner {
				began <- err
				return
			}
			if r[0] != createWindow || le.Uint32(r[4:]) != theBase|1 || le.Uint32(r[8:]) != theRoot {
				began <- errors.New("an odd request")
				return
			}
		}
	}()
	var o Owner
	defer o.Close()
	if err := o.Set(s.display, authority(t, at.number, s.secret), "10.90.0.2"); err != nil {
		t.Fatal(err)
	}
	if err := <-began; err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]uint32{"UTF8_STRING": s.atoms["UTF8_STRING"], "TEXT": s.atoms["UTF8_STRING"], "STRING": atomString, "text/plain": s.atoms["text/plain"]} {
		if kind, data := s.paste("CLIPBOARD", target); string(data) != "10.90.0.2" || kind != want {
			t.Errorf("%s: %q of type %d", target, data, kind)
		}
	}
	if kind, data := s.paste("CLIPBOARD", "TARGETS"); kind != atomAtom || len(data) != 4*6 {
		t.Errorf("targets %d, % x", kind, data)
	}
	if _, data := s.paste("CLIPBOARD", "image/png"); data != nil {
		t.Error("a text was given out as a picture")
	}
	if _, err := s.c.Write(append([]byte{selectionClear}, make([]byte, 31)...)); err != nil {
		t.Fatal(err)
	}
	if _, data := s.paste("CLIPBOARD", "UTF8_STRING"); data != nil {
		t.Error("the text was given out after somebody else has copied")
	}
}

func TestAServerThatRefusesIsSaid(t *testing.T) {
	s := newServer(t)
	s.secret = []byte("another")
	go s.greet()
	at, _ := parse(s.display)
	var o Owner
	defer o.Close()
	if err := o.Set(s.display, authority(t, at.number, []byte("mine")), "x"); err == nil || !bytes.Contains([]byte(err.Error()), []byte("no such cookie")) {
		t.Error(err)
	}
}

func TestDisplays(t *testing.T) {
	for in, want := range map[string]place{":0": {"", 0}, ":10.2": {"", 10}, "unix:1": {"", 1}, "host:3.0": {"host", 3}, "/private/tmp/x:0": {"", 0}, "[::1]:4": {"::1", 4}} {
		if got, err := parse(in); err != nil || got != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0", ":", ":x", ":99999999999"} {
		if got, err := parse(in); err == nil {
			t.Errorf("%q: %v", in, got)
		}
	}
}

// FuzzGreeting has the server say anything.
func FuzzGreeting(f *testing.F) {
	f.Add([]byte{1, 0, 11, 0, 0, 0, 1, 0, 1, 2, 3, 4}, []byte{0, 1})
	f.Add(append([]byte{1, 0, 11, 0, 0, 0, 11, 0}, make([]byte, 44)...), []byte{255, 255, 0, 1, 'a'})
	f.Fuzz(func(t *testing.T, greeting, auth []byte) {
		_, _, _ = setup(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(greeting), io.Discard}, []byte("x"))
		_, _ = next(bytes.NewReader(greeting))
		choose(auth, place{"", 0}, "me")
	})
}
