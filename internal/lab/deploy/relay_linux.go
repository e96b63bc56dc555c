package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/cvlan/cvlan/internal/lab"
)

const relayData = "/var/lib/cvlan-relay"

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
	key, err := ctl.Admin(ctx, "", "relay", "create", name, "--addr", at)
	if err != nil {
		return nil, err
	}
	r := &Relay{Name: name, Host: h, set: s, args: append([]string{"--advertise", at}, args...)}
	cmd := h.Command(ctx, "/bin/sh", "-c", "mkdir -p "+relayData+" && cat >"+relayData+"/join.key && chmod 600 "+relayData+"/join.key")
	cmd.Stdin = strings.NewReader(key)
	if _, err := s.run(cmd); err != nil {
		return nil, err
	}
	r.args = append(r.args, "--key-file", relayData+"/join.key")
	return r, r.Start(ctx)
}

// Start starts the relay, again after it was killed, and waits until it serves.
func (r *Relay) Start(ctx context.Context) error {
	r.Proc = r.Host.Start(r.set.Path("cvlan-relay"), append([]string{"serve", "--data-dir", relayData, "--listen", fmt.Sprintf(":%d", Port)}, r.args...)...)
	return ready(ctx, r.Proc, "is ready")
}
