package tui

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/internal/base/words"
)

// tunnels are the security associations of IPsec, as far as somebody looks at them.
type tunnels struct {
	list  local.IPsec
	asked bool
	at    time.Time
	err   error
}

// tunnelsFresh is how long an answer is good.
const tunnelsFresh = 3 * time.Second

// nextTunnels asks for them while a peer is shown in full that speaks IPsec.
func (m *Model) nextTunnels() action {
	t := &m.world.tunnels
	p, ok := m.lookedAt()
	if !ok || !m.detailed || p.Protocol != local.IPsecProtocol || t.asked || m.world.away != nil || m.world.now.Sub(t.at) < tunnelsFresh {
		return nil
	}
	t.asked = true
	return askTunnels{}
}

type askTunnels struct{}

func (askTunnels) run(ctx context.Context, c *Config) outcome {
	all, err := c.Daemon.IPsec(ctx)
	return tunnelsTold{all, err, c.Now()}
}

type tunnelsTold struct {
	all local.IPsec
	err error
	at  time.Time
}

func (t tunnelsTold) take(m *Model) action {
	m.world.tunnels = tunnels{list: t.all, err: t.err, at: t.at}
	return nil
}

// associations draws those with a peer; nothing for one that does not speak IPsec.
func (d *details) associations(p *peer, width int) []string {
	t := d.theme
	if p.Protocol != local.IPsecProtocol {
		return nil
	}
	lines := []string{t.Title.Paint(cells.Cut("IPSEC", width))}
	if d.tunnels.err != nil {
		return append(lines, append(forOperators(t, d.tunnels.err, width), "")...)
	}
	f := fields{theme: t, width: width}
	for _, n := range d.tunnels.list.Networks {
		i := slices.IndexFunc(n.Peers, func(x local.IPsecPeer) bool { return n.ID == p.id.network && x.ID == p.id.node })
		if i < 0 {
			continue
		}
		for _, s := range n.Peers[i].IKE {
			f.add("identity", cleanText(s.Identity)+", proved by "+cleanText(s.Method))
			f.add("IKE", strings.ReplaceAll(cleanText(s.Cipher), "/", " ")+aged(d.now, s.Since, s.Rekey))
		}
		for _, s := range n.Peers[i].ESP {
			f.add("ESP", cleanText(s.Cipher)+", "+cleanName(s.State)+aged(d.now, s.Since, s.Rekey)+", "+strconv.FormatUint(s.Sent, 10)+" packets sent")
		}
	}
	if f.lines == nil {
		f.lines = []string{t.Dim.Paint(cells.Cut("No association now; the next packet makes one", width))}
	}
	return append(append(lines, f.lines...), "")
}

// aged says how old keys are and when they are replaced.
func aged(now time.Time, since, rekey *time.Time) (text string) {
	if since != nil {
		text = ", since " + words.Span(now.Sub(*since))
	}
	if rekey != nil {
		text += ", rekeyed " + words.Until(now, *rekey)
	}
	return text
}
