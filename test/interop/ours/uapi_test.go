//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
)

func TestTheToolsWordsAreUnderstood(t *testing.T) {
	private, peer := key.NewWGPrivate(), key.NewWGPrivate().Public()
	text := fmt.Sprintf("private_key=%s\nlisten_port=51820\nfwmark=0\npublic_key=%x\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\n"+
		"allowed_ip=fd00::/8\nendpoint=[2001:db8::1]:7\npersistent_keepalive_interval=25\npublic_key=%x\nremove=true\n\n", private.Hex(), peer[:], peer[:])
	c, err := readChange(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	if c.private.Public() != private.Public() || c.port != 51820 || len(c.peers) != 2 || !c.peers[1].remove {
		t.Errorf("%+v", c)
	}
	p := c.peers[0]
	if p.key != peer || !p.replace || len(p.allowed) != 2 || *p.endpoint != netip.MustParseAddrPort("[2001:db8::1]:7") || *p.keepalive != 25*time.Second || p.preshared != nil {
		t.Errorf("%+v", p)
	}
}

func TestWhatIsWrongIsRefused(t *testing.T) {
	for _, text := range []string{"", "private_key", "private_key=00\n\n", "listen_port=70000\n\n", "endpoint=1.2.3.4:5\n\n", "colour=blue\n\n"} {
		if c, err := readChange(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Errorf("%q is taken for %+v", text, c)
		}
	}
}

// FuzzChanges reads anything, and what was told of a peer reads back.
func FuzzChanges(f *testing.F) {
	k := strings.Repeat("a8", 32)
	f.Add("private_key=" + k + "\nlisten_port=1\n\n")
	f.Add("public_key=" + k + "\nendpoint=1.2.3.4:5\nallowed_ip=::/0\npersistent_keepalive_interval=9\npreshared_key=" + k + "\n\n")
	f.Add("public_key=" + k + "\nremove=true\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := readChange(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		s := state{private: c.private, port: c.port}
		for _, p := range c.peers {
			told := peerState{key: p.key, allowed: p.allowed}
			if p.endpoint != nil {
				told.endpoint = *p.endpoint
			}
			s.peers = append(s.peers, told)
		}
		var out bytes.Buffer
		s.write(&out)
		for line := range strings.Lines(out.String()) {
			if name, value, found := strings.Cut(line, "="); !found || name == "" || value == "\n" {
				t.Errorf("tells %q", line)
			}
		}
	})
}
