package audit

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/key"
)

// Bounds of a detail, in runes and elements.
const (
	MaxDetail = 2048 // bytes of JSON
	maxText   = 128
	maxList   = 40
)

// hushed are the words that make a field's value a secret, whatever it is.
var hushed = []string{"secret", "hash", "password", "passwd", "token", "private", "psk", "credential", "bearer", "ticket"}

// Detail returns the JSON object of an event's detail: fields in the order given, each a name and a value.
//
// The rule of redaction: a field shows a value only if it is a bool, a number, a time, a text, a list of texts, addresses or prefixes, or
// something with an own text form. Bytes are never shown, only how many there were; neither is anything whose name speaks of a
// secret, nor a private type of package key, which shows itself as "(secret)". Texts are cleaned and cut. What is longer than MaxDetail is left out.
func Detail(fields ...slog.Attr) string {
	b := []byte{'{'}
	for _, f := range fields {
		name, _ := json.Marshal(clean.Line(f.Key, maxText))
		value, err := json.Marshal(show(f))
		if err != nil {
			value = []byte(`"(not shown)"`)
		}
		if len(b)+len(name)+len(value)+len(`,:,"cut":true}`) > MaxDetail {
			b = append(comma(b), `"cut":true`...)
			break
		}
		b = append(append(append(comma(b), name...), ':'), value...)
	}
	return string(append(b, '}'))
}

func comma(b []byte) []byte {
	if len(b) > 1 {
		b = append(b, ',')
	}
	return b
}

func show(f slog.Attr) any {
	name := strings.ToLower(f.Key)
	for _, w := range hushed {
		if strings.Contains(name, w) {
			return key.Redacted
		}
	}
	switch v := f.Value.Resolve().Any().(type) {
	case nil, bool, int64, uint64, float64:
		return v
	case string:
		return clean.Line(v, maxText)
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return v.UTC().Format(time.RFC3339)
	case time.Duration:
		return v.String()
	case []string:
		list := make([]string, 0, min(len(v), maxList))
		for _, s := range v[:min(len(v), maxList)] {
			list = append(list, clean.Line(s, maxText))
		}
		return list
	case []netip.Addr:
		return append([]netip.Addr{}, v[:min(len(v), maxList)]...)
	case []netip.Prefix:
		return append([]netip.Prefix{}, v[:min(len(v), maxList)]...)
	case []byte:
		return fmt.Sprintf("(%d bytes)", len(v))
	case fmt.Stringer:
		return clean.Line(v.String(), maxText)
	default:
		return "(not shown)"
	}
}
