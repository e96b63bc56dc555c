package cells

import "testing"

func TestWidthIsOfCells(t *testing.T) {
	for text, want := range map[string]int{"": 0, "office": 6, "Büro": 4, "事務所": 6, "e\u0301": 1, "👩‍💻": 2, "\x1b[1mbold\x1b[m": 4} {
		if got := Width(text); got != want {
			t.Errorf("%q takes %d cells, not %d", text, got, want)
		}
	}
}

func TestWhatIsCutFits(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"office", 6, "office"}, {"office", 5, "offi…"}, {"office", 1, "…"}, {"office", 0, ""}, {"office", -1, ""}, {"事務所", 6, "事務所"}, {"事務所", 5, "事務…"}, {"事務所", 4, "事…"}, {"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
	} {
		if got := Cut(c.text, c.width); got != c.want {
			t.Errorf("%q in %d cells is %q, not %q", c.text, c.width, got, c.want)
		}
	}
}
