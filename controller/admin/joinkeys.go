package admin

import (
	"context"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

func (s *server) listJoinKeys(ctx context.Context, t *tenant, in *admin.ListJoinKeysIn) (*admin.ListJoinKeysOut, error) {
	only, names, err := t.chosen(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	all, err := t.JoinKeys(ctx, only)
	if err != nil {
		return nil, err
	}
	l, err := page(t.route, all, in.Page, func(k store.JoinKey) mark { return mark{uint64(k.ID), k.Created} },
		func(k store.JoinKey) admin.JoinKey { return s.showJoinKey(k, names[k.Network]) })
	return &admin.ListJoinKeysOut{Body: l}, err
}

// chosen finds the network that a list is narrowed to, zero for all of them, and every network's name.
func (t *tenant) chosen(ctx context.Context, name string) (ident.Network, map[ident.Network]string, error) {
	all, err := t.Networks(ctx)
	if err != nil {
		return 0, nil, err
	}
	names := make(map[ident.Network]string, len(all))
	for _, n := range all {
		names[n.ID] = n.Name
	}
	if name == "" {
		return 0, names, nil
	}
	n, err := t.network(ctx, name)
	return n.ID, names, err
}

func (s *server) createJoinKey(ctx context.Context, t *tenant, in *admin.CreateJoinKeyIn) (*admin.CreateJoinKeyOut, error) {
	n, err := t.network(ctx, in.Body.Network)
	if err != nil {
		return nil, err
	}
	if in.Body.User != "" || len(in.Body.Tags) > 0 {
		if err := t.assigning(); err != nil {
			return nil, err
		}
	}
	tags := prefixed(store.TagPrefix, in.Body.Tags)
	if err := s.owns(ctx, t, n.ID, tags); err != nil {
		return nil, err
	}
	secret := key.NewSecret()
	now := s.Now()
	k := store.JoinKey{
		ID: ident.New[ident.JoinKey](), Network: n.ID, Hash: secret.Hash(), Uses: or(in.Body.Uses, admin.DefaultUses),
		Ephemeral: in.Body.Ephemeral, Approve: in.Body.Approve, Tags: tags, Created: now, CreatedBy: t.actor(),
	}
	if in.Body.User != "" {
		u, err := t.person(ctx, in.Body.User)
		if err != nil {
			return nil, err
		}
		if acts := t.who.key.User; acts != "" && acts != u.Login {
			return nil, admin.CodePermission.Problem(title(t.route), "this key acts for "+acts+", and may give nodes to nobody else", "name "+acts+", or use a key that acts for nobody")
		}
		k.User = u.Login
	}
	k.Expires = expiry(now, or(in.Body.TTLSeconds, admin.DefaultTTLSeconds))
	if k, err = t.CreateJoinKey(ctx, t.actor(), k); err != nil {
		return nil, err
	}
	whole, err := ticket.Ticket{Kind: ticket.Join, Addrs: s.Addrs, Pin: s.Pin, ID: uint64(k.ID), Secret: secret}.Encode()
	if err != nil {
		return nil, err
	}
	return &admin.CreateJoinKeyOut{Body: admin.CreatedJoinKey{JoinKey: s.showJoinKey(k, n.Name), Key: whole, Unknown: s.unknownTags(ctx, t, n.ID, k.Tags)}}, nil
}

func (s *server) revokeJoinKey(ctx context.Context, t *tenant, in *admin.OneJoinKeyIn) (*admin.Nothing, error) {
	var id ident.JoinKey
	if err := id.UnmarshalText([]byte(in.Key)); err != nil {
		return nil, invalid(t.route, err.Error(), "see which there are: "+lister("Join keys"))
	}
	return &admin.Nothing{}, t.RevokeJoinKey(ctx, t.actor(), id)
}

func (s *server) showJoinKey(k store.JoinKey, network string) admin.JoinKey {
	state := s.state(k.Revoked, k.Expires)
	if state == valid && k.Uses > 0 && k.Used >= k.Uses {
		state = "used-up"
	}
	return admin.JoinKey{ID: k.ID, Network: k.Network, NetworkName: network, State: state, Uses: k.Uses, Used: k.Used, Expires: k.Expires,
		Ephemeral: k.Ephemeral, Approve: k.Approve, User: k.User, Tags: list(k.Tags), Created: k.Created, CreatedBy: k.CreatedBy}
}

const valid = "valid"

// state says whether a key of either kind is still good.
func (s *server) state(revoked bool, expires time.Time) string {
	switch {
	case revoked:
		return "revoked"
	case !expires.IsZero() && !s.Now().Before(expires):
		return "expired"
	default:
		return valid
	}
}

// expiry returns when something ends that lives for so many seconds from now; 0: never.
func expiry(now time.Time, seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(seconds) * time.Second)
}

func or[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

// list returns s, never nil, so that JSON shows [].
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
