// Package ca is the controller's certificate authority: a root, an intermediate for each tenant, and what they issue.
//
//	root             P-256, 20 years, common name = trust domain; made at first start, pinned by every join key
//	├── controller   1 year, key in memory only, renewed at half its life and at every start
//	└── tenant       10 years, signs nodes only (path length 0, URIs of the trust domain only)
//	    └── node     60 days, for the node's own key; renewed from day 30, so that a month without a controller always works
//
// Who may speak for whom is decided by package trust, which both ends share; this package only makes certificates that pass
// there. Revocation is removal from the map, not a list: see the hub.
package ca
