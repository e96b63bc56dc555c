package daemon

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/logx"
)

func TestTheLatestLinesAreKeptInOrderAndBounded(t *testing.T) {
	d := &Daemon{}
	log := d.recent.beside(slog.New(slog.DiscardHandler))
	log.Debug("where a peer is", logx.Addr, "192.0.2.1:7")
	for i := range recentLines + 5 {
		log.Info("step", logx.Count, i, "long", strings.Repeat("x", 2*recentLine))
	}
	got := d.Log()
	if len(got.Lines) != recentLines || got.Forgotten != 5 {
		t.Fatalf("%d lines, %d forgotten", len(got.Lines), got.Forgotten)
	}
	for i, line := range got.Lines {
		if len(line) > recentLine || !strings.Contains(line, fmt.Sprintf("count=%d ", i+5)) {
			t.Fatalf("line %d: %.100s", i, line)
		}
	}
}

// TestNoSecretReachesTheLog joins, fails, comes up and goes down, and looks for everything secret that the daemon then has.
func TestNoSecretReachesTheLog(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	c := m.start()
	joinKey := office.key(1)
	m.up(c, local.UpRequest{JoinKey: joinKey})
	m.untilState(c, local.Up)
	if _, err := c.Up(t.Context(), local.UpRequest{JoinKey: joinKey[:len(joinKey)-4] + "AAAA"}); err == nil {
		t.Fatal("a broken key was taken")
	}
	said, err := c.Log(t.Context())
	if err != nil || len(said.Lines) == 0 {
		t.Fatalf("%+v, %v", said, err)
	}
	all := strings.Join(said.Lines, "\n")
	secrets := []string{strings.TrimPrefix(joinKey, "cvlan-join-1-")[:20]}
	err = filepath.WalkDir(m.cfg.State, func(path string, e fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(path, ".key") || strings.HasSuffix(path, ".pem")) {
			b, _ := os.ReadFile(path)
			secrets = append(secrets, strings.TrimSpace(string(b)), base64.StdEncoding.EncodeToString(b))
		}
		return err
	})
	if err != nil || len(secrets) < 5 {
		t.Fatalf("%d secrets, %v", len(secrets), err)
	}
	for _, s := range secrets {
		if strings.Contains(all, s) {
			t.Errorf("the log has %.10s…", s)
		}
	}
}
