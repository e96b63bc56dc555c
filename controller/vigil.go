package controller

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// vigilEvery is how often the ends of authorities are looked at. They are days away, and a change of an authority is a reason of its own.
const vigilEvery = time.Hour

// vigil knows when the authorities' certificates end, and warns in the log: once at each urgency, and once a day in the last week.
type vigil struct {
	c     *Controller
	poked chan struct{}
	ends  atomic.Pointer[[]ca.End] // nothing in it is changed
	said  map[string]vigilNote     // by serial
}

type vigilNote struct {
	urgency ca.Urgency
	days    int
}

func newVigil(c *Controller) *vigil {
	v := &vigil{c: c, poked: make(chan struct{}, 1)}
	v.ends.Store(new([]ca.End))
	return v
}

// Ends returns what was seen last.
func (v *vigil) Ends() []ca.End { return *v.ends.Load() }

// poke has it look soon.
func (v *vigil) poke() {
	select {
	case v.poked <- struct{}{}:
	default: // it will
	}
}

func (v *vigil) run(ctx context.Context) error {
	every := time.NewTicker(vigilEvery)
	defer every.Stop()
	for {
		if err := v.look(ctx); err != nil && ctx.Err() == nil {
			v.c.cfg.Log.Warn("it is not known when authorities end", logx.Err, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		case <-v.poked:
		}
	}
}

// look reads the ends of all authorities that sign, and warns.
func (v *vigil) look(ctx context.Context) error {
	tenants, err := v.c.store.Tenants(ctx)
	if err != nil {
		return err
	}
	names, ids := map[ident.Tenant]string{}, make([]ident.Tenant, 0, len(tenants))
	for _, t := range tenants {
		names[t.ID], ids = t.Name, append(ids, t.ID)
	}
	ends, err := v.c.ca.Ends(ctx, ids)
	if err != nil {
		return err
	}
	v.ends.Store(&ends)
	said := make(map[string]vigilNote, len(ends)) // of authorities that are gone nothing is kept
	for _, e := range ends {
		now := v.c.cfg.Now()
		note := vigilNote{urgency: e.Urgency(now)}
		if note.urgency == ca.Urgent {
			note.days = e.Days(now)
		}
		said[e.Serial] = note
		if was := v.said[e.Serial]; note.urgency == ca.Far || note == was {
			continue
		}
		level := v.c.cfg.Log.Warn
		if note.urgency >= ca.Urgent {
			level = v.c.cfg.Log.Error
		}
		level("an authority ends", "of", e.Kind, logx.Tenant, e.Tenant, logx.Name, names[e.Tenant], "end", e.At, logx.Hint, e.Warning(now))
	}
	v.said = said
	return nil
}
