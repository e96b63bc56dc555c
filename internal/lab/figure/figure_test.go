package figure

import (
	"slices"
	"strings"
	"testing"
)

func TestMedianStandsInTheMiddle(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{7, 1, 2}, 2}, {[]float64{4, 1, 100, 2}, 3}} {
		before := slices.Clone(c.values)
		if got := Median(c.values); got != c.want {
			t.Errorf("the median of %v is %v, want %v", c.values, got, c.want)
		}
		if !slices.Equal(before, c.values) {
			t.Errorf("the values were put into the order %v", c.values)
		}
	}
}

func TestFiguresAreLinesThatAScriptCanRead(t *testing.T) {
	var out strings.Builder
	Print(&out, "engine_idle_rss_mb", 15.358, "MB", "")
	Spread(&out, "engine_tcp1_ratio", "x", []float64{2.1, 1.9, 2})
	Spread(&out, "engine_nothing", "x", nil)
	want := "FIGURE engine_idle_rss_mb 15.36 MB\nFIGURE engine_tcp1_ratio 2.00 x (1.90 to 2.10 in 3 runs)\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestRunsGiveOneNumberEach(t *testing.T) {
	got := Each([]string{"a", "bcd"}, func(s string) float64 { return float64(len(s)) })
	if !slices.Equal(got, []float64{1, 3}) || Sum(got) != 4 {
		t.Errorf("%v, sum %v", got, Sum(got))
	}
}
