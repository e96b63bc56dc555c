package conf

import "testing"

func TestSizesAreWrittenAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]struct {
		bytes int
		back  string
	}{
		"32MiB": {32 << 20, "32MiB"}, " 512 KiB": {512 << 10, "512KiB"}, "1024": {1024, "1KiB"}, "1GiB": {1 << 30, "1GiB"}, "1500B": {1500, "1500B"}, "0": {0, "0"},
	} {
		var s Size
		if err := s.Set(text); err != nil || int(s) != want.bytes || s.String() != want.back {
			t.Errorf("%q: %d, %q, %v", text, int(s), s.String(), err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "32 MB", "9999999999GiB", "many"} {
		var s Size
		if err := s.Set(text); err == nil {
			t.Errorf("%q is taken for %d", text, int(s))
		}
	}
}
