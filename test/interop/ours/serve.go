//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const folder = "/var/run/wireguard"

// device is what a request acts upon.
type device interface {
	change(change) error
	state() state
	drops() map[string]uint64
}

// serve answers one request after another.
func serve(name string, d device) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	path := folder + "/" + name + ".sock"
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err // one that a killed program has left
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		c.SetDeadline(time.Now().Add(5 * time.Second))
		answer(c, d)
		c.Close()
	}
}

// answer serves the requests of one connection.
func answer(c net.Conn, d device) {
	r := bufio.NewReader(c)
	w := bufio.NewWriter(c)
	for {
		request, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if err := act(strings.TrimSpace(request), r, w, d); err != nil {
			fmt.Fprintln(os.Stderr, "ours: refused:", err)
			fmt.Fprintf(w, "errno=%d\n\n", unix.EINVAL)
		} else {
			fmt.Fprint(w, "errno=0\n\n")
		}
		if w.Flush() != nil {
			return
		}
	}
}

func act(request string, r *bufio.Reader, w *bufio.Writer, d device) error {
	switch request {
	case "set=1":
		c, err := readChange(r)
		if err != nil {
			return err
		}
		return d.change(c)
	case "get=1", "drops=1":
		if line, err := r.ReadString('\n'); err != nil || line != "\n" {
			return fmt.Errorf("%s goes on with %q", request, line)
		}
		if request == "get=1" {
			d.state().write(w)
			return nil
		}
		for reason, n := range d.drops() {
			fmt.Fprintf(w, "%s=%d\n", reason, n)
		}
		return nil
	}
	return fmt.Errorf("%q is unknown", request)
}
