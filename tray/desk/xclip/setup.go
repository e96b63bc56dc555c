package xclip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/internal/base/clean"
)

// place is where an X server listens.
type place struct {
	host   string // "": this machine, over a socket of its own
	number int
}

// parse reads [HOST]:NUMBER[.SCREEN].
func parse(display string) (place, error) {
	i := strings.LastIndexByte(display, ':')
	if i < 0 {
		return place{}, errors.New("DISPLAY has no colon")
	}
	number, _, _ := strings.Cut(display[i+1:], ".")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n > 65535-6000 {
		return place{}, errors.New("DISPLAY has no number after its colon")
	}
	host := strings.Trim(display[:i], "[]")
	if host == "unix" || strings.HasPrefix(host, "/") {
		host = ""
	}
	return place{host, int(n)}, nil
}

func (p place) dial() (net.Conn, error) {
	d := net.Dialer{Timeout: patience}
	if p.host != "" {
		return d.Dial("tcp", net.JoinHostPort(p.host, strconv.Itoa(6000+p.number)))
	}
	path := "/tmp/.X11-unix/X" + strconv.Itoa(p.number)
	c, err := d.Dial("unix", path)
	if err != nil {
		if abstract, err := d.Dial("unix", "@"+path); err == nil {
			return abstract, nil
		}
	}
	return c, err
}

const cookieName = "MIT-MAGIC-COOKIE-1"

// cookie returns the secret that the display's Xauthority file has for it, or nil.
func cookie(p place, getenv func(string) string) []byte {
	path := getenv("XAUTHORITY")
	if path == "" {
		path = filepath.Join(getenv("HOME"), ".Xauthority")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	all, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil
	}
	me, _ := os.Hostname()
	return choose(all, p, me)
}

// choose picks, of an Xauthority file's entries for the display's number, one for this host or for every host, else the last.
func choose(file []byte, p place, me string) (found []byte) {
	const local, wild = 256, 65535
	for len(file) >= 2 {
		family := binary.BigEndian.Uint16(file)
		file = file[2:]
		var part [4][]byte // address, display, name, data
		for i := range part {
			if len(file) < 2 || len(file)-2 < int(binary.BigEndian.Uint16(file)) {
				return found
			}
			n := int(binary.BigEndian.Uint16(file))
			part[i], file = file[2:2+n], file[2+n:]
		}
		if number := string(part[1]); string(part[2]) != cookieName || number != "" && number != strconv.Itoa(p.number) {
			continue
		}
		found = part[3]
		if family == wild || family == local && p.host == "" && string(part[0]) == me {
			return found
		}
	}
	return found
}

// setup begins a connection: it returns the first number that is ours to give, and the root window.
func setup(c io.ReadWriter, secret []byte) (base, root uint32, err error) {
	name := cookieName
	if secret == nil {
		name = ""
	}
	req := words('l'|11<<16, uint32(len(name))<<16, uint32(len(secret)))
	req = pad(append(pad(append(req, name...)), secret...))
	if _, err := c.Write(req); err != nil {
		return 0, 0, err
	}
	var h [8]byte
	if _, err := io.ReadFull(c, h[:]); err != nil {
		return 0, 0, err
	}
	body := make([]byte, 4*int(le.Uint16(h[6:])))
	if _, err := io.ReadFull(c, body); err != nil {
		return 0, 0, err
	}
	if h[0] != 1 {
		return 0, 0, fmt.Errorf("it refuses us: %s", clean.Line(string(body[:min(int(h[1]), len(body))]), 100))
	}
	if len(body) < 32 {
		return 0, 0, errors.New("its greeting is too short")
	}
	screens := 32 + (int(le.Uint16(body[16:]))+3)/4*4 + 8*int(body[21])
	if len(body) < screens+4 {
		return 0, 0, errors.New("its greeting is too short")
	}
	return le.Uint32(body[4:]), le.Uint32(body[screens:]), nil
}
