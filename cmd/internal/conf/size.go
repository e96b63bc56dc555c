package conf

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a flag for amounts of memory, in bytes, as people write them: 32MiB, 512KiB, 1GiB, or a plain number of bytes.
type Size int

var units = []struct {
	suffix string
	bytes  int
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// String writes the largest unit that is exact.
func (s *Size) String() string {
	for _, u := range units {
		if n := int(*s); n%u.bytes == 0 && n >= u.bytes {
			return strconv.Itoa(n/u.bytes) + u.suffix
		}
	}
	return "0"
}

// Type names the flag's argument in help.
func (*Size) Type() string { return "size" }

// Set reads what was typed.
func (s *Size) Set(text string) error {
	for _, u := range units {
		number, ok := strings.CutSuffix(strings.TrimSpace(text), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil || n < 0 || n > 1<<40/u.bytes {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%.20q is no size; write it like 32MiB", text)
}
