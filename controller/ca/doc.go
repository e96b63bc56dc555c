// Package ca is the controller's certificate authority: a root, an intermediate for each tenant, and what they issue.
//
//	root             P-256, 20 years, common name = trust domain; made at first start, pinned by every join key
//	├── controller   1 year, key in memory only, renewed at half its life and at every start
//	└── tenant       10 years, signs nodes, devices and revocation lists (path length 0, URIs of the trust domain only)
//	    ├── node     60 days, for the node's own key; renewed from day 30, so that a month without a controller always works
//	    └── device   1 year unless told otherwise; it has no agent, no URI, and so is nobody within the mesh
//
// Who may speak for whom is decided by package trust, which both ends share; this package only makes certificates that pass
// there. Between nodes, revocation is removal from the map, see the hub; for those who have no map, such as IPsec gateways, there is a
// list (RFC 5280), which each authority signs for what it has issued.
//
// A tenant's authority can be given a new key at any time: nodes trust the root, so they trust the new one and the old one alike, and
// the pins in join keys, which are the root's, stay true. Relays are told of both, and nodes that the new one signs now, so that they renew. The old
// one is ended when nothing that it has signed is in force any more; nodes and relays hear of that, too.
package ca
