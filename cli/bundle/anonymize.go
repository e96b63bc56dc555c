package bundle

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Anonymizer replaces names, keys and addresses. It is made for one bundle: with another secret everything is replaced otherwise.
type Anonymizer struct {
	secret []byte
	names  map[string]string // by the name in lower case
	odd    []string          // those that are more than one word, as they were written
	counts map[string]int    // by kind
	addrs  map[netip.Addr]netip.Addr
}

// NewAnonymizer returns one that knows no names. The secret is random, and nobody needs it again.
func NewAnonymizer(secret []byte) *Anonymizer {
	return &Anonymizer{secret: secret, names: map[string]string{}, counts: map[string]int{}, addrs: map[netip.Addr]netip.Addr{}}
}

// Name makes a name known: wherever it stands as a word, one of its kind stands then, node-3 for example. What was known stays.
func (a *Anonymizer) Name(kind, name string) {
	written := name
	name = strings.ToLower(name)
	if name == "" || a.names[name] != "" {
		return
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return // addresses are replaced as such
	}
	a.counts[kind]++
	a.names[name] = fmt.Sprintf("%s-%d", kind, a.counts[kind])
	if word.FindString(written) != written {
		a.odd = append(a.odd, written)
	}
}

var (
	address = regexp.MustCompile(`[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	word    = regexp.MustCompile(`[\p{L}\p{N}_@+=/-]+(?:\.[\p{L}\p{N}_@+-]+)*`)
)

// Text replaces what is known in a text, and every address.
func (a *Anonymizer) Text(text []byte) []byte {
	for _, name := range a.odd {
		text = bytes.ReplaceAll(text, []byte(name), []byte(a.names[strings.ToLower(name)]))
	}
	text = address.ReplaceAllFunc(text, func(b []byte) []byte {
		found := strings.TrimRight(string(b), ":.") // a sentence may go on behind it
		at, err := netip.ParseAddr(found)
		if err != nil {
			found = string(b) // a range's may end like that: fd00::
			at, err = netip.ParseAddr(found)
		}
		if err != nil {
			return b
		}
		return append([]byte(a.addr(at).String()), b[len(found):]...)
	})
	return word.ReplaceAllFunc(text, func(b []byte) []byte { return []byte(a.word(string(b))) })
}

// JSON does the same to the values of a document. Its keys stay, whatever machines are called, but for the names of interfaces.
func (a *Anonymizer) JSON(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	return json.MarshalIndent(a.value(doc), "", "  ")
}

func (a *Anonymizer) value(v any) any {
	switch v := v.(type) {
	case string:
		return string(a.Text([]byte(v)))
	case []any:
		for i := range v {
			v[i] = a.value(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = a.value(v[k])
		}
		if under, ok := v["interfaces"].(map[string]any); ok {
			v["interfaces"] = a.keys(under)
		}
	}
	return v
}

func (a *Anonymizer) keys(of map[string]any) map[string]any {
	out := make(map[string]any, len(of))
	for k, v := range of {
		out[a.word(k)] = v
	}
	return out
}

// word replaces a word that is known, or the parts of a domain name or a list of words that are.
func (a *Anonymizer) word(s string) string {
	if to := a.names[strings.ToLower(s)]; to != "" {
		return to
	}
	for _, by := range []string{"/", "=", ".", "@"} {
		if parts := strings.Split(s, by); len(parts) > 1 {
			for i, p := range parts {
				parts[i] = a.word(p)
			}
			return strings.Join(parts, by)
		}
	}
	return s
}

// kept are ranges whose first bits say what kind of address it is, and stay.
var kept = func() (all []netip.Prefix) {
	for _, p := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()

// addr replaces an address so that what two have in common at their beginning stays in common: each bit is turned or not by a hash of
// all bits before it (Xu, Fan, Ammar and Moon, "Prefix-preserving IP address anonymization", 2002).
func (a *Anonymizer) addr(at netip.Addr) netip.Addr {
	at = at.Unmap().WithZone("")
	if at.IsLoopback() || at.IsUnspecified() || at.IsMulticast() {
		return at
	}
	if out, ok := a.addrs[at]; ok {
		return out
	}
	from := 0
	for _, p := range kept {
		if p.Contains(at) {
			from = p.Bits()
		}
	}
	was := at.AsSlice()
	now := make([]byte, len(was))
	copy(now, was)
	for bit := from; bit < 8*len(was); bit++ {
		before := netip.PrefixFrom(at, bit).Masked()
		m := hmac.New(sha256.New, a.secret)
		fmt.Fprint(m, before)
		now[bit/8] ^= (m.Sum(nil)[0] & 1) << (7 - bit%8)
	}
	out, _ := netip.AddrFromSlice(now)
	a.addrs[at] = out
	return out
}
