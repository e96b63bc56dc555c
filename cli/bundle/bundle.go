package bundle

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// Bundle gathers files, and what must be known to clean them.
type Bundle struct {
	Anonymizer *Anonymizer // learns what there is to replace, whether or not it will be
	at         time.Time
	anonymous  bool
	files      []File
	missing    []string
	public     map[string]bool // keys that are no secret
}

// New returns an empty one.
func New(at time.Time, anonymous bool) *Bundle {
	return &Bundle{Anonymizer: NewAnonymizer(nil), at: at, anonymous: anonymous, public: map[string]bool{}}
}

// Status adds the state of the daemon.
func (b *Bundle) Status(s *local.Status) {
	b.Anonymizer.Status(s)
	for _, n := range s.Networks {
		b.public[n.Self.Key] = true
		for _, p := range n.Peers {
			b.public[p.Key] = true
		}
	}
	b.Add("status.json", s, nil)
}

// Tunnels adds the tunnels; nil: there is nothing to add.
func (b *Bundle) Tunnels(w *local.WireGuard) {
	if w == nil {
		return
	}
	b.Anonymizer.Tunnels(w)
	for _, n := range w.Networks {
		b.public[n.Key] = true
		for _, p := range n.Peers {
			b.public[p.Key] = true
		}
	}
	b.Add("wg.json", w, nil)
}

// Check adds a check of the network, likewise.
func (b *Bundle) Check(c *local.NetCheck) {
	if c != nil {
		b.Anonymizer.Check(c)
		b.Add("netcheck.json", c, nil)
	}
}

// Add adds a document as JSON; with an error, that it is missing and why.
func (b *Bundle) Add(name string, doc any, err error) {
	var text []byte
	if err == nil {
		text, err = json.MarshalIndent(doc, "", "  ")
	}
	b.AddText(name, string(text), err)
}

// AddText adds a text, likewise.
func (b *Bundle) AddText(name, text string, err error) {
	if err != nil {
		b.Miss(name, err.Error())
		return
	}
	b.files = append(b.files, File{name, []byte(text)})
}

// Miss notes what could not be had.
func (b *Bundle) Miss(what, why string) { b.missing = append(b.missing, what+": "+why) }

// Files returns the files as they may leave the machine. Random is where an anonymizer's secret comes from.
func (b *Bundle) Files(random io.Reader) []File {
	b.Anonymizer.secret = make([]byte, 32)
	if _, err := io.ReadFull(random, b.Anonymizer.secret); err != nil {
		return []File{{"README.txt", []byte("nothing was written: no randomness: " + err.Error())}}
	}
	files := append([]File{{"README.txt", []byte(b.readme())}}, b.files...)
	for _, f := range files {
		b.Anonymizer.Shaped(f.Data)
	}
	for i := range files {
		files[i].Data = b.clean(&files[i])
	}
	return files
}

func (b *Bundle) clean(f *File) []byte {
	text := Scrub(f.Data, b.public)
	switch {
	case !b.anonymous:
		return text
	case strings.HasSuffix(f.Name, ".json"):
		if out, err := b.Anonymizer.JSON(text); err == nil {
			return out
		}
		return []byte(removed)
	default:
		return b.Anonymizer.Text(text)
	}
}

func (b *Bundle) readme() string {
	var t strings.Builder
	fmt.Fprintf(&t, "Written by cvlan debug bundle at %s. ", b.at.UTC().Format(time.RFC3339))
	if b.anonymous {
		t.WriteString("Names, keys and addresses are replaced, the same way in every file; addresses that began alike still do.\n")
	} else {
		t.WriteString("It has names and addresses in it. Keys and other secrets are not in it.\n")
	}
	if len(b.missing) > 0 {
		t.WriteString("\nCould not be had:\n")
	}
	for _, m := range b.missing {
		t.WriteString("  " + m + "\n")
	}
	return t.String()
}
