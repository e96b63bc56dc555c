package admin

import (
	"context"
	"errors"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

// Relays is what makes and deletes relays, and knows them now.
type Relays interface {
	Create(ctx context.Context, actor string, r store.Relay) (store.Relay, error)
	Delete(ctx context.Context, actor string, id ident.Relay) error
	Live(id ident.Relay) RelayPresence
}

// RelayPresence is what is known of a relay now, and is not in the store.
type RelayPresence struct {
	Online   bool
	Draining bool
	Clients  int
}

// absent are relays that nobody serves.
type absent struct{ store.Store }

// Create implements Relays.
func (a absent) Create(ctx context.Context, actor string, r store.Relay) (store.Relay, error) {
	return a.CreateRelay(ctx, actor, r)
}

// Delete implements Relays.
func (a absent) Delete(ctx context.Context, actor string, id ident.Relay) error {
	return a.DeleteRelay(ctx, actor, id)
}

// Live implements Relays.
func (absent) Live(ident.Relay) RelayPresence { return RelayPresence{} }

func (s *server) listRelays(ctx context.Context, _ *principal, in *admin.Page) (*admin.ListRelaysOut, error) {
	all, err := s.Store.Relays(ctx)
	if err != nil {
		return nil, err
	}
	l, err := page(admin.ListRelays.Route, all, *in, func(r store.Relay) mark { return mark{uint64(r.ID), r.Created} }, s.showRelay)
	return &admin.ListRelaysOut{Body: l}, err
}

func (s *server) createRelay(ctx context.Context, p *principal, in *admin.CreateRelayIn) (*admin.CreateRelayOut, error) {
	secret := key.NewSecret()
	r := store.Relay{ID: ident.New[ident.Relay](), Name: in.Body.Name, Region: in.Body.Region, Addresses: in.Body.Addresses, Hash: secret.Hash(),
		Expires: expiry(s.Now(), or(in.Body.TTLSeconds, admin.DefaultRelayTTLSeconds))}
	if in.Body.Tenant != "" {
		t, err := s.tenant(ctx, p, admin.CreateRelay.Route, in.Body.Tenant)
		if err != nil {
			return nil, err
		}
		r.Tenant = t.ID
		if in.Body.Node != "" {
			n, err := t.node(ctx, in.Body.Node)
			if err != nil {
				return nil, err
			}
			r.Node, r.Expires = n.ID, time.Time{}
		}
	} else if in.Body.Node != "" {
		return nil, admin.CodeInvalid.Problem("Create a relay", "a node is the relay of its own tenant only, and none is named", "name it: --for-tenant TENANT")
	}
	r, err := s.Relays.Create(ctx, p.actor(), r)
	if err != nil {
		return nil, err
	}
	if !r.Node.IsZero() {
		return &admin.CreateRelayOut{Body: admin.CreatedRelay{Relay: s.showRelay(r)}}, nil
	}
	whole, err := ticket.Ticket{Kind: ticket.Relay, Addrs: s.Addrs, Pin: s.Pin, ID: uint64(r.ID), Secret: secret}.Encode()
	if err != nil {
		return nil, err
	}
	return &admin.CreateRelayOut{Body: admin.CreatedRelay{Relay: s.showRelay(r), Key: whole}}, nil
}

func (s *server) getRelay(ctx context.Context, _ *principal, in *admin.OneRelayIn) (*admin.RelayOut, error) {
	r, err := s.relay(ctx, in.Relay)
	return &admin.RelayOut{Body: s.showRelay(r)}, err
}

func (s *server) deleteRelay(ctx context.Context, p *principal, in *admin.OneRelayIn) (*admin.Nothing, error) {
	r, err := s.relay(ctx, in.Relay)
	if err != nil {
		return nil, err
	}
	return &admin.Nothing{}, s.Relays.Delete(ctx, p.actor(), r.ID)
}

// relay finds one by name or identifier.
func (s *server) relay(ctx context.Context, name string) (store.Relay, error) {
	r, err := s.Store.RelayByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		var id ident.Relay
		if id.UnmarshalText([]byte(name)) == nil {
			return s.Store.Relay(ctx, id)
		}
	}
	return r, err
}

func (s *server) showRelay(r store.Relay) admin.Relay {
	e, _ := r.Entry()
	live := s.Relays.Live(r.ID)
	out := admin.Relay{ID: r.ID, Name: r.Name, Region: e.Region, Tenant: r.Tenant, Node: r.Node, Addresses: list(e.Addresses), STUNPort: int(e.STUN),
		State: s.relayState(r, live), Clients: live.Clients, Software: r.LastReport.Software, Joined: r.Joined, CertUntil: r.CertUntil,
		Created: r.Created, CreatedBy: r.CreatedBy}
	if !live.Online {
		out.LastSeen = r.LastSeen
	}
	if r.Joined.IsZero() {
		out.Expires = r.Expires
	}
	return out
}

func (s *server) relayState(r store.Relay, live RelayPresence) string {
	switch {
	case live.Draining:
		return "draining"
	case live.Online:
		return "online"
	case r.Joined.IsZero() && s.state(false, r.Expires) != valid:
		return "expired"
	case r.Joined.IsZero():
		return "new"
	default:
		return "offline"
	}
}

func (s *server) listRelayUsage(ctx context.Context, _ *principal, in *admin.ListRelayUsageIn) (*admin.ListRelayUsageOut, error) {
	all, err := s.Store.Relayed(ctx, s.Now().Add(-time.Duration(in.Days-1)*24*time.Hour))
	if err != nil {
		return nil, err
	}
	tenants, err := s.Store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[ident.Tenant]string, len(tenants))
	for _, t := range tenants {
		names[t.ID] = t.Name
	}
	out := &admin.ListRelayUsageOut{}
	out.Body.Items = []admin.RelayUsage{}
	for _, u := range all {
		out.Body.Items = append(out.Body.Items, admin.RelayUsage{Tenant: u.Tenant, TenantName: names[u.Tenant], Day: u.Day.Format(time.DateOnly), Bytes: u.Bytes})
	}
	return out, nil
}
