// Command cut measures how soon an edit of policy cuts what is running: two nodes behind routers talk through their tunnel, an admin types
// a command that puts a document in force which forbids it, and the time is taken until the last datagram that is answered. The real programs do it,
// in a laboratory. It prints the figure that we quote as a line "FIGURE name value unit".
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/figure"
	"github.com/cvlan/cvlan/internal/lab/series"
)

const (
	network = "office"
	// delay is what each node's way to the internet takes, and with it to the controller and to the other.
	delay = 10 * time.Millisecond
	// quiet is how long nothing comes until a conversation counts as cut.
	quiet = 500 * time.Millisecond
	// patience bounds each wait.
	patience = 20 * time.Second
)

// The two documents: the series' port, and another.
const (
	open = `{"acls": [{"src": ["*"], "dst": ["*:7007"], "proto": "udp"}]}`
	shut = `{"acls": [{"src": ["*"], "dst": ["*:7008"], "proto": "udp"}]}`
)

func main() {
	bin := flag.String("bin", "bin", "folder of the built programs")
	edits := flag.Int("edits", 30, "how many edits")
	flag.Parse()
	os.Exit(lab.Main(func(ctx context.Context, l *lab.Lab) error {
		if err := lab.CheckTUN(); err != nil {
			return err
		}
		abs, err := filepath.Abs(*bin)
		if err != nil {
			return err
		}
		return bench(ctx, l, deploy.Set{Bin: abs}, *edits)
	}))
}

// pair is two nodes in one network, and who decides about them.
type pair struct {
	ctl  *deploy.Controller
	from *lab.Host
	to   netip.Addr // inside the network
}

func bench(ctx context.Context, l *lab.Lab, set deploy.Set, edits int) error {
	p, err := join(ctx, l, set)
	if err != nil {
		return err
	}
	s, err := series.Begin(p.from, p.to)
	if err != nil {
		return err
	}
	defer s.End(0)
	var whole, after []float64
	for range edits {
		typed, done, last, err := p.cut(ctx, s)
		if err != nil {
			return err
		}
		ms := func(d time.Duration) float64 { return float64(max(d, 0)) / float64(time.Millisecond) }
		whole, after = append(whole, ms(last.Sub(typed))), append(after, ms(last.Sub(done)))
	}
	slices.Sort(whole)
	slices.Sort(after)
	figure.Print(os.Stdout, "policy_cut_ms", whole[len(whole)*99/100], "ms",
		fmt.Sprintf("(p99 of %d edits, from the start of the admin's command to the last answered datagram; median %.0f; after the command was back at most %.0f)",
			edits, figure.Median(whole), after[len(after)-1]))
	return nil
}

// join makes the laboratory: a controller on the internet, and two nodes behind routers.
func join(ctx context.Context, l *lab.Lab, set deploy.Set) (p pair, err error) {
	if p.ctl, err = set.Controller(ctx, l.Public("ctl"), "--with-relay"); err != nil {
		return p, err
	}
	if _, err := p.ctl.Admin(ctx, "", "network", "create", network); err != nil {
		return p, err
	}
	key, err := p.ctl.Key(ctx, network, "--uses", "2")
	if err != nil {
		return p, err
	}
	for _, name := range []string{"a", "b"} {
		site := l.Site(name, "port")
		site.Degrade(lab.Quality{Delay: delay})
		h := site.Host(name)
		if err := series.Echo(h); err != nil {
			return p, err
		}
		n, err := set.Node(ctx, h)
		if err != nil {
			return p, err
		}
		if _, err := n.Join(ctx, key, "--hostname", name); err != nil {
			return p, err
		}
		out, err := n.CLI(ctx, "ip", "-4")
		if err != nil {
			return p, err
		}
		if p.from == nil {
			p.from = h
		} else if p.to, err = netip.ParseAddr(strings.TrimSpace(out)); err != nil {
			return p, err
		}
	}
	return p, nil
}

// cut lets the two talk, forbids it, and tells when the command was typed, when it was back, and when the last answer came.
func (p *pair) cut(ctx context.Context, s *series.Series) (typed, done, last time.Time, err error) {
	if err = p.policy(ctx, open); err != nil {
		return typed, done, last, err
	}
	talking := time.Now()
	err = until(ctx, "they talk", func() bool {
		t := s.Since(time.Now().Add(-quiet), 2*delay)
		return time.Since(talking) > 2*quiet && t.Quiet < quiet/10
	})
	if err != nil {
		return typed, done, last, err
	}
	typed = time.Now()
	if err = p.policy(ctx, shut); err != nil {
		return typed, done, last, err
	}
	done = time.Now()
	err = until(ctx, "they are cut", func() bool {
		q := s.Since(typed, 0).Quiet
		last = time.Now().Add(-q)
		return q > quiet
	})
	return typed, done, last, err
}

func (p *pair) policy(ctx context.Context, text string) error {
	_, err := p.ctl.Admin(ctx, text, "policy", "set", "-", "--network", network)
	return err
}

func until(ctx context.Context, what string, is func() bool) error {
	late := time.After(patience)
	for !is() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("wait until %s: not after %v", what, patience)
		case <-time.After(series.Pace):
		}
	}
	return nil
}
