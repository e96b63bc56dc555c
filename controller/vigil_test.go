package controller

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/ca"
)

// The log warns of an authority that ends once at each urgency, once a day in the last week, and not before.
func TestTheLogWarnsOfAuthoritiesThatEnd(t *testing.T) {
	db, authority, tenant := founded(t)
	now := time.Now()
	var log bytes.Buffer
	c := &Controller{cfg: Config{Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil))}, store: db, ca: authority}
	c.vigil = newVigil(c)
	look := func() string {
		t.Helper()
		log.Reset()
		if err := c.vigil.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	if got := look(); got != "" || len(c.vigil.Ends()) != 2 {
		t.Fatalf("of what is years away: %q, %v", got, c.vigil.Ends())
	}
	for _, day := range []struct {
		before int
		want   string
	}{{89, "level=WARN"}, {60, ""}, {29, "level=WARN"}, {6, "level=ERROR"}, {5, "level=ERROR"}, {-1, "ended on"}, {-2, ""}} {
		now = time.Now().Add(ca.TenantLife).AddDate(0, 0, -day.before).Add(time.Hour)
		got := look()
		if (got == "") != (day.want == "") || !strings.Contains(got, day.want) || got != "" && !strings.Contains(got, "name="+tenant.Name) {
			t.Errorf("%d days before: %q", day.before, got)
		}
		if again := look(); again != "" {
			t.Errorf("%d days before it is said twice: %q", day.before, again)
		}
	}
}

// Monitors ask without a key: whether it is well, and when what ends.
func TestMonitorsSeeWhenAuthoritiesEnd(t *testing.T) {
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0", HTTP: "127.0.0.1:0", Addresses: []string{"192.0.2.1:8443"}}
	c, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.vigil.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	tenants, err := c.store.Tenants(t.Context())
	if err != nil || len(tenants) != 1 {
		t.Fatal(tenants, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx, nil) }()
	ask := func(path string) string {
		t.Helper()
		resp, err := http.Get("http://" + c.door.listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
		}
		return string(body)
	}
	if got := strings.TrimSpace(ask("/health")); got != `{"status":"ok"}` {
		t.Errorf("health: %s", got)
	}
	got := ask("/metrics")
	for _, want := range []string{
		"cvlan_controller_database_writable 1\n", "cvlan_controller_nodes_connected 0\n", `cvlan_controller_authority_end_seconds{of="root",tenant=""}`,
		fmt.Sprintf("cvlan_controller_authority_end_seconds{of=\"tenant\",tenant=%q} %d\n", tenants[0].ID, c.vigil.Ends()[1].At.Unix()),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s in\n%s", want, got)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
