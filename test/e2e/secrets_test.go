//go:build e2e && linux

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/base/ticket"
)

// secret is a string that nobody but its owner may ever see.
type secret struct{ name, text string }

// searchSecrets looks for every secret of the story in all logs and in what all commands wrote. The one command that hands out a
// secret is left out.
func (w *world) searchSecrets() {
	secrets := w.secrets()
	if len(w.keys) > 0 && len(secrets) == 0 {
		w.t.Error("no secret was found to search for")
	}
	search := func(where string, text []byte) {
		for _, s := range secrets {
			if bytes.Contains(text, []byte(s.text)) {
				w.t.Errorf("%s shows %s", where, s.name)
			}
		}
	}
	for _, h := range w.lab.Hosts() {
		for _, p := range h.Programs() {
			if text, err := os.ReadFile(p.LogFile()); err == nil {
				search("the log "+filepath.Base(p.LogFile())+" of "+h.Name(), text)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.heard {
		if !strings.HasPrefix(h.command, "cvlan admin key create") {
			search("the output of "+h.command, []byte(h.output))
		}
	}
}

func (w *world) secrets() (all []secret) {
	w.mu.Lock()
	keys := append([]string(nil), w.keys...)
	w.mu.Unlock()
	for _, k := range keys {
		all = append(all, ofTicket(ticket.Join, k)...)
	}
	for _, h := range w.lab.Hosts() {
		for _, folder := range []string{"/var/lib/cvlan", "/var/lib/cvlan-controller"} {
			// Folders that a story has mounted in the host are not seen from here; those of its peers are.
			_ = filepath.WalkDir(h.Path(folder), func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					all = append(all, ofFile(h.Name(), path)...)
				}
				return nil
			})
		}
	}
	return all
}

// ofFile returns what is secret in a file of a state or data folder.
func ofFile(host, path string) []secret {
	name := filepath.Base(path)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	switch {
	case name == "admin.key":
		return ofTicket(ticket.Admin, string(text))
	case strings.HasPrefix(name, "wg.key"):
		raw, err := base64.StdEncoding.DecodeString(firstLine(text))
		if err != nil {
			return nil
		}
		return written(host+"'s WireGuard key", raw)
	case strings.HasPrefix(name, "identity.pem"):
		if b, _ := pem.Decode(text); b != nil {
			// The scalar of a P-256 key in PKCS #8 (RFC 5915) begins at byte 36.
			if len(b.Bytes) > 68 {
				return append(written(host+"'s identity key", b.Bytes[36:68]), secret{host + "'s identity.pem", strings.Split(string(text), "\n")[1]})
			}
		}
	}
	return nil
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

// ofTicket returns the secret part of a ticket in each form, and the part of the ticket's own text that holds it.
func ofTicket(kind ticket.Kind, text string) []secret {
	t, err := ticket.Parse(kind, text)
	if err != nil {
		return nil
	}
	// 40 bytes of pin and identifier come before the secret: the 54th character of base64 is the first that is all secret.
	body := strings.TrimPrefix(strings.TrimSpace(text), string(kind))
	return append(written("the secret of a "+string(kind)+"ticket", t.Secret.Bytes()), secret{"a " + string(kind) + "ticket", body[54:94]})
}

// written is a secret in every form in which somebody might write it.
func written(name string, b []byte) []secret {
	return []secret{
		{name, string(b)}, {name, hex.EncodeToString(b)}, {name, base64.RawStdEncoding.EncodeToString(b)}, {name, base64.RawURLEncoding.EncodeToString(b)},
	}
}

// A search that knows no secrets finds none.
func TestTheSearchKnowsEverySecret(t *testing.T) {
	w := begin(t)
	w.town(1)
	want := map[string]bool{
		"the secret of a cvlan-join-1-ticket": false, "a cvlan-join-1-ticket": false, "a cvlan-admin-1-ticket": false,
		"n1's WireGuard key": false, "n1's identity key": false, "n1's identity.pem": false,
	}
	printed := ""
	for _, h := range w.heard {
		if strings.HasPrefix(h.command, "cvlan admin key create") {
			printed += h.output
		}
	}
	found := false
	for _, s := range w.secrets() {
		if _, known := want[s.name]; known {
			want[s.name] = true
		}
		if len(s.text) < 16 {
			t.Errorf("%s is searched for by %d bytes", s.name, len(s.text))
		}
		found = found || strings.Contains(printed, s.text)
	}
	for name, has := range want {
		if !has {
			t.Errorf("%s is not searched for", name)
		}
	}
	if !found {
		t.Error("the join key is not found where it was printed")
	}
}
