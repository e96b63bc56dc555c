package store

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/internal/base/clean"
)

// CheckName reports why name cannot be a noun's name, or nil.
func CheckName(noun, name string) error {
	if clean.IsLabel(name) {
		return nil
	}
	hint := "use lower case letters, digits and hyphens, such as " + clean.Label(noun) + "-1"
	if l := clean.Label(name); l != "" {
		hint = "did you mean " + l + "?"
	}
	return fmt.Errorf("%s name %q: %w: not a host name label; %s", noun, clean.Line(name, 80), ErrInvalid, hint)
}

// maxLabel is the length of an RFC 1123 label.
const maxLabel = 63

// FreeName returns wish, or wish-2, wish-3, … whichever is free, and its number. It asks taken a number of times that grows with
// the logarithm of how many names are taken: it doubles its steps until a number is free, then halves between a taken and a
// free one. A caller that knows a number to be taken gives it as hint, zero otherwise; then often one question is enough.
func FreeName(wish string, hint int, taken func(name string) (bool, error)) (name string, number int, err error) {
	if wish = clean.Label(wish); wish == "" {
		wish = "node"
	}
	numbered := func(n int) string {
		if n == 1 {
			return wish
		}
		tail := "-" + strconv.Itoa(n)
		return strings.TrimRight(wish[:min(len(wish), maxLabel-len(tail))], "-") + tail
	}
	is, free := hint, hint+1 // is: taken, or zero
	for stride := 1; ; stride *= 2 {
		t, err := taken(numbered(free))
		if err != nil {
			return "", 0, err
		}
		if !t {
			break
		}
		if is, free = free, free+stride; free > 4*MaxNodes {
			return "", 0, fmt.Errorf("name %q: %w: too many nodes have it with a number", wish, ErrLimit)
		}
	}
	for free-is > 1 {
		mid := (is + free) / 2
		t, err := taken(numbered(mid))
		if err != nil {
			return "", 0, err
		}
		if t {
			is = mid
		} else {
			free = mid
		}
	}
	return numbered(free), free, nil
}
