package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab/load"
)

func TestClientsPrintWhatCameThroughAServer(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan int)
	go func() { done <- run(ctx, []string{"serve", "-listen", "127.0.0.1:0"}, w, io.Discard) }()
	line, err := bufio.NewReader(r).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the server says %q, %v", line, err)
	}
	var through load.Throughput
	decode(t, &through, "tcp", "-to", addr, "-streams", "2", "-for", "50ms")
	if through.Streams != 2 || through.Bytes == 0 {
		t.Errorf("%+v", through)
	}
	var trips load.RoundTrips
	decode(t, &trips, "ping", "-to", addr, "-count", "3", "-gap", "1ms")
	if trips.Received != 3 {
		t.Errorf("%+v", trips)
	}
	var delivery load.Delivery
	decode(t, &delivery, "udp", "-to", addr, "-rate", "1000", "-for", "100ms", "-size", "100")
	if delivery.Sent == 0 || delivery.Received == 0 {
		t.Errorf("%+v", delivery)
	}
	var flooded load.Flooded
	decode(t, &flooded, "flood", "-to", addr, "-key", key.NewWGPrivate().Public().String(), "-strangers", "2", "-for", "100ms")
	if flooded.Sent == 0 {
		t.Errorf("%+v", flooded)
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("the server ends with %d", code)
	}
}

func TestMistypedCommandsAreUsageErrors(t *testing.T) {
	for _, args := range [][]string{nil, {"pong"}, {"tcp", "-nonsense"}, {"ping", "surplus"}, {"flood", "-key", "short"}} {
		var diag bytes.Buffer
		if code := run(t.Context(), args, io.Discard, &diag); code != 2 || diag.Len() == 0 {
			t.Errorf("%q: exit code %d, %q", args, code, diag.String())
		}
	}
}

func TestUnreachableServerIsAnError(t *testing.T) {
	var diag bytes.Buffer
	if code := run(t.Context(), []string{"tcp", "-to", "127.0.0.1:1"}, io.Discard, &diag); code != 1 || !strings.Contains(diag.String(), "refused") {
		t.Errorf("exit code %d, %q", code, diag.String())
	}
}

func decode(t *testing.T, into any, args ...string) {
	t.Helper()
	var out, diag bytes.Buffer
	if code := run(t.Context(), args, &out, &diag); code != 0 {
		t.Fatalf("%v: exit code %d, %s", args, code, diag.String())
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		t.Fatal(err)
	}
}
