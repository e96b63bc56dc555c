package portmap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/core/igd"
	core "github.com/cvlan/cvlan/internal/core/portmap"
)

// Times of a job.
const (
	searchRepeat = 700 * time.Millisecond
	searchTime   = 2 * time.Second
	jobTime      = 3 * time.Second
)

// device is the gateway's UPnP service.
type device struct {
	host    Host
	link    Link
	service igd.Service
}

// finished is what became of a job.
type finished struct {
	result core.JobResult
	link   Link
	device *device // that a search found
}

// begin does a job aside. The core gives the next one only after this.
func (r *run) begin(j core.Job) {
	ctx, cancel := context.WithTimeout(context.Background(), jobTime)
	if j.Kind == core.Search {
		cancel()
		ctx, cancel = context.WithTimeout(context.Background(), searchTime)
	}
	r.end = cancel
	f := finished{result: core.JobResult{Kind: j.Kind, Code: core.JobFailed}, link: r.link}
	found, conn, d := make(chan []byte, queued), Conn(nil), r.device
	if len(r.conns) > 0 {
		conn = r.conns[0]
	}
	r.search = nil
	if j.Kind == core.Search {
		r.search = found
	}
	host, port := r.host, r.cfg.Port
	r.tasks.Go(func() {
		defer cancel()
		switch {
		case j.Kind == core.Search && conn != nil:
			f.device, f.result = search(ctx, host, f.link, conn, found)
		case j.Kind == core.MapUPnP && d != nil:
			f.result = d.mapPort(ctx, j, port)
		case j.Kind == core.UnmapUPnP && d != nil:
			_, err := d.call(ctx, d.service.DeleteMapping(j.External))
			f.result.Code = code(err)
		}
		r.done <- f
	})
}

// finish tells the core what became of a job.
func (r *run) finish(f finished) {
	r.search, r.end = nil, nil
	if f.device != nil && f.link == r.link {
		r.device = f.device
	}
	r.client.Finished(r.clock.Now(), f.result, &r.out)
}

func code(err error) int {
	var f fault
	switch {
	case err == nil:
		return core.JobDone
	case errors.As(err, &f) && f == igd.Conflict:
		return core.JobConflict
	default:
		return core.JobFailed
	}
}

// search asks for gateway devices and takes the first of the gateway that has a service.
func search(ctx context.Context, host Host, l Link, c Conn, found <-chan []byte) (*device, core.JobResult) {
	failed := core.JobResult{Kind: core.Search, Code: core.JobFailed}
	ask := func() {
		for _, b := range igd.Searches() {
			_ = c.WriteTo(b, netip.AddrPortFrom(l.Gateway, igd.Group.Port())) // either may be heard
			_ = c.WriteTo(b, igd.Group)
		}
	}
	ask()
	repeat := time.NewTimer(searchRepeat)
	defer repeat.Stop()
	tried := map[igd.Place]bool{}
	for {
		select {
		case <-ctx.Done():
			return nil, failed
		case <-repeat.C:
			ask()
		case b := <-found:
			p, ok := igd.ParseFound(b, l.Gateway)
			if !ok || tried[p] || len(tried) >= igd.MaxServices {
				continue
			}
			tried[p] = true
			if d, addr, err := connect(ctx, host, l, p); err == nil {
				return d, core.JobResult{Kind: core.Search, External: addr}
			}
		}
	}
}

// connect reads a device's description and takes the first service that has an outside address, or else the first.
func connect(ctx context.Context, host Host, l Link, at igd.Place) (*device, netip.Addr, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.At.String()+at.Path, nil)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	b, err := exchange(host, l, at.At, req)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	services, err := igd.ParseDescription(b, at, l.Gateway)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	if len(services) == 0 {
		return nil, netip.Addr{}, errors.New("the device maps no ports")
	}
	for _, s := range services {
		d := &device{host, l, s}
		if a, err := d.outside(ctx); err == nil {
			return d, a, nil
		}
	}
	return &device{host, l, services[0]}, netip.Addr{}, nil
}

// outside asks for the outside address.
func (d *device) outside(ctx context.Context) (netip.Addr, error) {
	r, err := d.call(ctx, d.service.GetExternalAddress())
	if err == nil && !core.Sound(r.External, d.link.Local) {
		err = errors.New("the device has no outside address")
	}
	return r.External, err
}

// mapPort makes a mapping, for ever where the device knows nothing else.
func (d *device) mapPort(ctx context.Context, j core.Job, port uint16) core.JobResult {
	_, err := d.call(ctx, d.service.AddMapping(j.External, port, d.link.Local, j.Lifetime))
	if errors.Is(err, fault(igd.OnlyPermanent)) {
		_, err = d.call(ctx, d.service.AddMapping(j.External, port, d.link.Local, 0))
	}
	r := core.JobResult{Kind: core.MapUPnP, Code: code(err)}
	if err == nil {
		r.External, _ = d.outside(ctx) // without one the core takes the mapping for none
	}
	return r
}

// fault is a refusal in the device's words.
type fault int

func (f fault) Error() string { return fmt.Sprintf("the router refused with UPnP error %d", int(f)) }

func (d *device) call(ctx context.Context, c igd.Call) (igd.Reply, error) {
	at := d.service.Control
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.At.String()+at.Path, bytes.NewReader([]byte(c.Body)))
	if err != nil {
		return igd.Reply{}, err
	}
	req.Header.Set("Content-Type", `text/xml; charset="utf-8"`)
	req.Header.Set("SOAPAction", c.Action)
	b, err := exchange(d.host, d.link, at.At, req)
	if err != nil {
		return igd.Reply{}, err
	}
	r, err := igd.ParseReply(b)
	if err == nil && r.Fault != 0 {
		err = fault(r.Fault)
	}
	return r, err
}

// exchange does one request on a stream of its own: no redirection is followed, no proxy asked, and only MaxText bytes are read.
func exchange(host Host, l Link, at netip.AddrPort, req *http.Request) ([]byte, error) {
	ctx := req.Context()
	c, err := host.Dial(ctx, l, at)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	req.Close = true
	req.Header.Set("User-Agent", "cvlan")
	if err := req.Write(c); err != nil {
		return nil, err
	}
	const headers = 8 << 10
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(c, igd.MaxText+headers)), req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusInternalServerError { // the latter carries a fault
		return nil, fmt.Errorf("the router answers %s", resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, igd.MaxText+1))
}
