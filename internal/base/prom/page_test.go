package prom

import (
	"strings"
	"testing"
)

func TestAPageIsReadByPrometheus(t *testing.T) {
	var b strings.Builder
	p := Page{&b}
	p.One("up", "gauge", "1 while up.", 1)
	p.Family("bytes_total", "counter", "Bytes.")
	p.Row("bytes_total", 7, "direction", "sent", "tenant", "t1")
	p.Row("bytes_total", 8, "direction", "received")
	const want = "# HELP up 1 while up.\n# TYPE up gauge\nup 1\n# HELP bytes_total Bytes.\n# TYPE bytes_total counter\n" +
		"bytes_total{direction=\"sent\",tenant=\"t1\"} 7\nbytes_total{direction=\"received\"} 8\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}
