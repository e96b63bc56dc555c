package deploy

import (
	"context"
	"fmt"
	"os"

	"github.com/cvlan/cvlan/internal/lab"
)

const (
	relayData = "/var/lib/cvlan-relay"
	relayKey  = relayData + "/first.key"
)

// Relay is a relay on a host.
type Relay struct {
	Name string
	Host *lab.Host
	Proc *lab.Proc
	set  Set
	args []string
}

// Relay makes a relay known to a controller and starts it on a public host.
func (s Set) Relay(ctx context.Context, ctl *Controller, h *lab.Host, name string, args ...string) (*Relay, error) {
	at := fmt.Sprintf("%s:%d", h.Addr(), Port)
	key, err := ctl.Admin(ctx, "", "relay", "create", name, "--addr", at, "--key-out", "-")
	if err != nil {
		return nil, err
	}
	r := &Relay{Name: name, Host: h, set: s, args: append([]string{"--advertise", at}, args...)}
	if err := os.MkdirAll(h.Path(relayData), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", name, err)
	}
	if err := os.WriteFile(h.Path(relayKey), []byte(key), 0o600); err != nil {
		return nil, fmt.Errorf("hand the key of %s over: %w", name, err)
	}
	r.args = append(r.args, "--key-file", relayKey)
	return r, r.Start(ctx)
}

// Start starts the relay, again after it was killed, and waits until it serves.
func (r *Relay) Start(ctx context.Context) error {
	r.Proc = r.Host.Start(r.set.Path("cvlan-relay"), append([]string{"serve", "--data-dir", relayData, "--listen", fmt.Sprintf(":%d", Port)}, r.args...)...)
	return ready(ctx, r.Proc, "is ready")
}

// Run runs `cvlan-relay …` on the relay's folder.
func (r *Relay) Run(ctx context.Context, verb string, args ...string) (string, error) {
	return r.set.run(r.Host.Command(ctx, r.set.Path("cvlan-relay"), append([]string{verb, "--data-dir", relayData}, args...)...))
}
