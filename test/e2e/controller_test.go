//go:build e2e && linux

package e2e

import (
	"encoding/json"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

// nodes lists the office's nodes as the controller has them.
func (c *controller) nodes() []admin.Node {
	c.w.t.Helper()
	var doc struct{ Nodes []admin.Node }
	c.w.must(json.Unmarshal([]byte(c.admin("node", "list", "--network", office, "--json")), &doc))
	return doc.Nodes
}

// called returns a node of the office by its name; a zero one if there is none.
func (c *controller) called(name string) admin.Node {
	c.w.t.Helper()
	for _, n := range c.nodes() {
		if n.Name == name {
			return n
		}
	}
	return admin.Node{}
}

// idOf returns the identifier of a join key, which is no secret.
func (c *controller) idOf(key string) string {
	c.w.t.Helper()
	t, err := ticket.Parse(ticket.Join, key)
	c.w.must(err)
	return ident.JoinKey(t.ID).String()
}
