package sqlite

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

// nodeRow is a node and the number of the event that made it.
type nodeRow struct {
	store.Node
	born uint64
}

func scanNode(rows *sql.Rows) (r nodeRow, err error) {
	var identity, wg []byte
	var a4, a6 sql.NullString
	var tags, attrs, offered, approved, granted, refused string
	var created, seen, until int64
	if err := rows.Scan(&r.ID, &r.Network, &r.Name, &identity, &wg, &a4, &a6, &r.User, &tags, &r.Pending, &r.Ephemeral, &r.JoinedBy, &created, &seen, &until,
		&r.OS, &r.Software, &attrs, &r.Record, &r.Signature, &r.Signed, &r.Revision, &r.Version, &offered, &approved, &granted, &refused, &r.born); err != nil {
		return r, err
	}
	if copy(r.Identity[:], identity) != len(r.Identity) || copy(r.WG[:], wg) != len(r.WG) {
		return r, fmt.Errorf("node %s: its keys have the wrong length", r.ID)
	}
	r.Created, r.LastSeen, r.CertUntil = instant(created), instant(seen), instant(until)
	if r.Address4, r.Address6, err = addresses(a4, a6); err != nil {
		return r, fmt.Errorf("node %s: %w", r.ID, err)
	}
	if tags != "null" {
		if err := json.Unmarshal([]byte(tags), &r.Tags); err != nil {
			return r, fmt.Errorf("node %s: its tags: %w", r.ID, err)
		}
	}
	if err := json.Unmarshal([]byte(attrs), &r.Attrs); err != nil {
		return r, fmt.Errorf("node %s: its attributes: %w", r.ID, err)
	}
	for _, x := range []struct {
		text string
		list *[]netip.Prefix
	}{{offered, &r.Offered}, {approved, &r.Approved}, {granted, &r.Granted}, {refused, &r.Refused}} {
		if x.text == noRoutes {
			continue
		}
		if err := json.Unmarshal([]byte(x.text), x.list); err != nil {
			return r, fmt.Errorf("node %s: its routes: %w", r.ID, err)
		}
	}
	return r, nil
}

// noRoutes is how a list without prefixes is stored.
const noRoutes = "[]"

// addresses reads a node's addresses; null is none.
func addresses(a4, a6 sql.NullString) (v4, v6 netip.Addr, err error) {
	if a4.Valid {
		if v4, err = netip.ParseAddr(a4.String); err != nil {
			return v4, v6, err
		}
	}
	if a6.Valid {
		v6, err = netip.ParseAddr(a6.String)
	}
	return v4, v6, err
}

// nullable is how an address is stored.
func nullable(a netip.Addr) any {
	if !a.IsValid() {
		return nil
	}
	return a.String()
}

func (w *work) insertNode(n store.Node, born uint64) error {
	tags, err := json.Marshal(n.Tags)
	if err != nil {
		return err
	}
	attrs, err := json.Marshal(n.Attrs)
	if err != nil {
		return err
	}
	return w.exec(insertNode, int64(n.ID), int64(n.Network), n.Name, n.Identity[:], n.WG[:], nullable(n.Address4), nullable(n.Address6), n.User, string(tags),
		n.Pending, n.Ephemeral, int64(n.JoinedBy), micro(n.Created), micro(n.LastSeen), micro(n.CertUntil), n.OS, n.Software, string(attrs), n.Record, n.Signature, n.Signed,
		int64(n.Revision), int64(n.Version), noRoutes, noRoutes, noRoutes, noRoutes, int64(born))
}

// twin is a node that has an identity or a WireGuard key already.
type twin struct {
	id       ident.Node
	name     string
	identity key.IdentityPublic
	wg       key.WGPublic
	joinedBy ident.JoinKey
}

func scanTwin(rows *sql.Rows) (t twin, err error) {
	var identity, wg []byte
	err = rows.Scan(&t.id, &t.name, &identity, &wg, &t.joinedBy)
	copy(t.identity[:], identity)
	copy(t.wg[:], wg)
	return t, err
}
