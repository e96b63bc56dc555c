package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/figure"
	"github.com/cvlan/cvlan/internal/lab/series"
)

// An event is something that happens to a path that is in use. What is measured is the longest silence of a flow.
type event struct {
	name string // of its figure, without the unit
	what string // in words, for the table
	goal time.Duration
	a, b *node
	way  string // what the path has to be before it happens
	// happens makes it happen; back undoes it.
	happens, back func(ctx context.Context) error
	talks         bool // show what the daemons say of it
	starts        bool // it is measured from the start of a's daemon
	turns         bool // it is over when the path is direct, a TCP stream flows as well, and losses are told
}

// givenUp is what an outage counts as that had not ended by then.
const givenUp = 20 * time.Second

// events needs a home and a phone network for the one who roams, and a pair that only relays join.
func (t *town) events(ctx context.Context) ([]event, error) {
	home, phone, office := t.site("home", "port"), t.site("phone", "port+rand"), t.site("office", "port")
	one, two := t.site("hard1", "sym"), t.site("hard2", "sym")
	made, err := t.settle(ctx, home, office, one, two)
	if err != nil {
		return nil, err
	}
	a, b, c, d := made[0], made[1], made[2], made[3]
	nothing := func(context.Context) error { return nil }
	did := func(f func()) func(context.Context) error { return func(context.Context) error { f(); return nil } }
	direct := func(name, what string, goal time.Duration, happens, back func(context.Context) error) event {
		return event{name: name, what: what, goal: goal, a: a, b: b, way: local.PathDirect, happens: happens, back: back}
	}
	all := []event{
		direct("failover", "the direct path is cut; the relay takes over", 2*time.Second,
			did(func() { t.lab.Cut(a.Host, b.Host) }), did(func() { t.lab.Heal(a.Host, b.Host) })),
		direct("reboot", "the home router restarts within a second and has forgotten all", 3*time.Second,
			did(func() { home.Reboot(time.Second) }), nothing),
		direct("roam", "a computer goes from the home network to a phone's", time.Second,
			did(func() { a.Host.Roam(phone) }), did(func() { a.Host.Roam(home) })),
		direct("roam_noevent", "the home network gets another outside address; nothing on the computer tells", 3*time.Second,
			did(home.Renumber), nothing),
		direct("udp_cut", "the home router drops all UDP from now on, in mid-flow; TLS takes over", 2*time.Second,
			did(func() { home.BlockUDP(true) }), did(func() { home.BlockUDP(false) })),
	}
	blocked := direct("udp_blocked", "a daemon starts where no UDP passes; until its first echo is back, by TLS", time.Second,
		did(func() { home.BlockUDP(true) }), did(func() { home.BlockUDP(false) }))
	blocked.starts = true
	all = append(all, blocked)
	turn := direct("relay_to_direct", "the direct path opens while TCP flows through the relay: the longest stall of that, too", 200*time.Millisecond,
		did(func() { t.lab.Heal(a.Host, b.Host) }), did(func() { t.lab.CutUDP(a.Host, b.Host) }))
	turn.way, turn.turns = local.PathRelay, true
	all = append(all, turn)
	if len(t.relays) > 1 {
		all = append(all, t.relayDeath(c, d))
	}
	return all, nil
}

// relayDeath kills the relay that is in use.
func (t *town) relayDeath(a, b *node) event {
	var victims []*deploy.Relay
	kill := func(ctx context.Context) error {
		_, used := a.path(ctx, b)
		for _, r := range t.relays {
			if r.Name == used {
				r.Proc.Kill()
				victims = append(victims, r)
				return nil
			}
		}
		return fmt.Errorf("find the relay between %s and %s: it is called %q", a.name, b.name, used)
	}
	again := func(ctx context.Context) (err error) {
		for _, r := range victims {
			err = errors.Join(err, r.Start(ctx))
		}
		victims = nil
		return err
	}
	return event{name: "relay_death", what: "the relay in use is killed; another one takes over", goal: 2 * time.Second, a: a, b: b, way: local.PathRelay, happens: kill, back: again}
}

// outage is what an event cost.
type outage struct {
	event event
	all   []time.Duration
	lost  int // of them had not ended after givenUp

	sent, missing int // datagrams of an event that turns
}

// suffer lets an event happen, each time to nodes that have just started.
func (e event) suffer(ctx context.Context, runs int) (outage, error) {
	o := outage{event: e}
	for range runs {
		took, err := e.once(ctx, &o)
		if err != nil {
			return o, fmt.Errorf("%s: %w", e.name, err)
		}
		if took >= givenUp {
			o.lost++
		}
		o.all = append(o.all, took)
	}
	note := e.what
	if o.lost > 0 {
		note += fmt.Sprintf("; %d of them had not ended after %v", o.lost, givenUp)
	}
	tail(e.name, o.all, note)
	if e.turns {
		figure.Print(os.Stdout, e.name+"_loss_pct", 100*float64(o.missing)/float64(max(o.sent, 1)), "%", fmt.Sprintf("(%d of %d datagrams)", o.missing, o.sent))
	}
	return o, nil
}

// start measures from the start of a daemon, after what happens, to its first answered echo.
func (e event) start(ctx context.Context) (took time.Duration, err error) {
	if err := e.happens(ctx); err != nil {
		return 0, err
	}
	if err := e.a.Proc.Stop(ready); err != nil {
		return 0, err
	}
	e.a.site.Forget()
	since, said := time.Now(), [2]int{1: len(e.b.Proc.Log())} // a's log begins anew
	if err := e.a.Start(ctx); err != nil {
		return 0, err
	}
	for took < givenUp {
		_, err = e.a.CLI(ctx, "ping", "-c", "1", "--timeout", "500ms", e.b.name)
		if took = time.Since(since); err == nil {
			break
		}
	}
	e.tell(since, took, said)
	return min(took, givenUp), e.back(ctx)
}

// tell shows what both daemons have said since something happened, if that is wanted.
func (e event) tell(since time.Time, took time.Duration, said [2]int) {
	if e.talks {
		fmt.Printf("%s at %s: %v\n%s:\n%s%s:\n%s", e.name, since.Format("05.000"), took, e.a.name, e.a.Proc.Log()[said[0]:], e.b.name, e.b.Proc.Log()[said[1]:])
	}
}

func (e event) once(ctx context.Context, o *outage) (took time.Duration, err error) {
	if e.starts {
		return e.start(ctx)
	}
	if e.turns {
		if err := e.back(ctx); err != nil {
			return 0, err
		}
	}
	if err := afresh(ctx, e.a, e.b); err != nil {
		return 0, err
	}
	f, err := series.Begin(e.a.Host, e.b.inner)
	if err != nil {
		return 0, err
	}
	defer f.End(0)
	err = until(ctx, 2*long, "the path is "+e.way, func() (bool, error) {
		way, _ := e.a.path(ctx, e.b)
		back, _ := e.b.path(ctx, e.a)
		return way == e.way && back == e.way && f.Since(f.Began(), 0).Quiet < 200*time.Millisecond, nil
	})
	if err == nil {
		err = sleep(ctx, time.Second) // of undisturbed traffic
	}
	if err != nil {
		return 0, err
	}
	since, said := time.Now(), [2]int{len(e.a.Proc.Log()), len(e.b.Proc.Log())}
	if e.turns {
		took, err = e.turn(ctx, f, o)
		e.tell(since, took, said)
		return took, err
	}
	if err := e.happens(ctx); err != nil {
		return 0, err
	}
	took, err = outageOf(ctx, f, since)
	e.tell(since, took, said)
	return took, errors.Join(err, e.back(ctx))
}

// turn lets a path become direct while a stream flows beside a series, and measures whatever stood still for longer.
func (e event) turn(ctx context.Context, f *series.Series, o *outage) (time.Duration, error) {
	s, err := series.Pour(e.a.Host, e.b.Host, e.b.inner)
	if err != nil {
		return 0, err
	}
	err = sleep(ctx, time.Second)
	s.FromNow()
	since := time.Now()
	if err == nil {
		err = e.happens(ctx)
	}
	if err == nil {
		err = until(ctx, 2*long, "the path is direct", func() (bool, error) { return direct(ctx, e.a, e.b), nil })
	}
	if err == nil {
		err = sleep(ctx, 2*time.Second)
	}
	_, stall, failed := s.End()
	tally := f.Since(since, 500*time.Millisecond)
	o.sent, o.missing = o.sent+tally.Sent, o.missing+tally.Lost
	return min(max(stall, tally.Silence), givenUp), errors.Join(err, failed)
}

// outageOf waits until a series has come back for good, two seconds, and returns its longest silence.
func outageOf(ctx context.Context, f *series.Series, since time.Time) (time.Duration, error) {
	const calm = 2 * time.Second
	for steady := time.Now(); ; {
		if err := sleep(ctx, pace); err != nil {
			return 0, err
		}
		now := f.Since(since, 0)
		if now.Quiet > 200*time.Millisecond {
			steady = time.Now()
		}
		if now.Silence >= givenUp || time.Since(steady) > calm && time.Since(since) > calm+time.Second {
			return min(now.Silence, givenUp), nil
		}
	}
}

// guess measures how often a symmetric and a port-restricted router come to a direct path in time.
func (g *grid) guess(ctx context.Context, runs int) error {
	const inTime = 3 * time.Second
	pairs, err := readPairs("port:sym")
	if err != nil {
		return err
	}
	all, err := g.measure(ctx, pairs, runs)
	if err != nil || len(all[0].tries) == 0 {
		return errors.Join(err, all[0].err)
	}
	hits := 0
	for _, d := range all[0].directs() {
		if d <= inTime {
			hits++
		}
	}
	figure.Print(os.Stdout, "sym_port_direct_pct", 100*float64(hits)/float64(len(all[0].tries)), "%", fmt.Sprintf("(within %v, of %d)", inTime, len(all[0].tries)))
	tail("sym_port_direct", all[0].directs(), "those that became direct")
	return all[0].err
}
