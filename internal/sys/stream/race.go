package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// try is one attempt that can be made.
type try struct {
	transport Transport
	target
}

// choice is what is remembered of an attempt that won.
func (t try) choice() Choice { return Choice{t.transport, t.name, t.via != nil} }

// ended is the error of an attempt that was ended for some reason: through a proxy, it may be the proxy that has not answered.
func (t try) ended(why error) error {
	if t.via != nil {
		return &ProxyError{t.via.at(), why}
	}
	return why
}

// result is how an attempt ended.
type result struct {
	try    try
	stream *framed
	err    error
}

// race runs attempts one after the other, each with a head start over the next, until one succeeds.
type race struct {
	tries    []try
	failures []failure
	stagger  time.Duration
	whom     string
	running  []try
	results  chan result
	all      sync.WaitGroup
}

func (r *race) run(ctx context.Context, attempt func(context.Context, try) (*framed, error)) (result, error) {
	inner, cancel := context.WithCancel(ctx)
	defer r.clear(cancel)
	r.results = make(chan result, len(r.tries))
	head := time.NewTimer(0)
	defer head.Stop()
	for len(r.tries) > 0 || len(r.running) > 0 {
		select {
		case <-head.C:
			r.start(inner, attempt)
			head.Reset(r.stagger)
		case res := <-r.results:
			r.running = slices.DeleteFunc(r.running, func(t try) bool { return t == res.try })
			if res.err == nil {
				return res, nil
			}
			r.failures = append(r.failures, failure{res.try.transport, res.try.String(), res.err})
			head.Reset(0) // the next one need not wait
		case <-ctx.Done():
			return result{}, r.late(context.Cause(ctx))
		}
	}
	return result{}, &DialError{whom: r.whom, failures: r.failures}
}

// late is the error of a race that the caller's context has ended: if that was for the time, who still runs has had no answer in it.
func (r *race) late(ended error) *DialError {
	if !errors.Is(ended, context.DeadlineExceeded) || len(r.running) == 0 {
		return &DialError{whom: r.whom, failures: r.failures, ended: ended}
	}
	for _, t := range r.running {
		r.failures = append(r.failures, failure{t.transport, t.String(), t.ended(ended)})
	}
	return &DialError{whom: r.whom, failures: r.failures}
}

// start begins the next attempt, if one is left.
func (r *race) start(ctx context.Context, attempt func(context.Context, try) (*framed, error)) {
	if len(r.tries) == 0 {
		return
	}
	t := r.tries[0]
	r.tries = r.tries[1:]
	r.running = append(r.running, t)
	r.all.Go(func() {
		s, err := attempt(ctx, t)
		r.results <- result{t, s, err}
	})
}

// clear ends what still runs, waits for it, and drops what was won too late.
func (r *race) clear(cancel func()) {
	cancel()
	r.all.Wait()
	for range r.running {
		if late := <-r.results; late.stream != nil {
			late.stream.c.abort()
		}
	}
}
