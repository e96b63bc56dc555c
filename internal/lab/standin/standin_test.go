package standin

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

type one struct{}

func (one) Status() []byte {
	b, _ := json.Marshal(local.Status{Schema: 1, Networks: []local.Network{{Name: "office"}}})
	return b
}
func (one) Path(local.PathRequest) (local.PeerPath, error) {
	return local.PeerPath{}, local.CodeNotFound.Problem("show the paths", "no such peer", "")
}
func (one) Reach(local.PathRequest) (local.Reach, error) {
	return local.Reach{}, local.CodePermission.Problem("show rules", "not yours", "")
}
func (one) Certificates() local.Certificates                 { return local.Certificates{Schema: 1} }
func (one) Ping(local.PingRequest) (local.Pong, error)       { return local.Pong{RTT: 5}, nil }
func (one) PolicyLog(local.PolicyLogRequest) local.PolicyLog { return local.PolicyLog{Schema: 1} }
func (one) NetCheck() local.NetCheck                         { return local.NetCheck{Schema: 1} }
func (one) DNS() local.DNS                                   { return local.DNS{Schema: 1} }
func (one) Set(local.SetRequest) (local.Settings, error) {
	return local.Settings{}, local.CodePermission.Problem("set", "not yours", "")
}

func TestAClientTakesItForADaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	d, err := Serve(socket, one{}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	c := local.NewClient(socket)
	ctx := t.Context()
	if s, err := c.Status(ctx); err != nil || s.Networks[0].Name != "office" {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := c.Path(ctx, local.PathRequest{Peer: "x"}); err == nil || err.Error() != "show the paths: no such peer" {
		t.Errorf("path: %v", err)
	}
	if p, err := c.Ping(ctx, local.PingRequest{}); err != nil || p.RTT != 5 {
		t.Errorf("ping: %v", err)
	}
	seen := 0
	for _, err := range c.Watch(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 3 {
			break
		}
	}
	c.Close()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
