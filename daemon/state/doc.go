// Package state keeps on disk what a daemon must not lose: its memberships, their private keys and their last maps.
//
//	DIR/                         0700
//	  lock                       held by the running daemon
//	  preferences.json           what was set for the machine as a whole
//	  networks/<network id>/     one membership
//	    identity.pem             P-256 identity key, PKCS #8
//	    wg.key                   WireGuard key, base64
//	    chain.pem, root.pem      certificates
//	    membership.json          who the node is, where its controller is, what its owner wants
//	    netmap.cache             the last map, and the last time that a controller told
//	  joining/<key id>-<pin>/    keys of a join that is not finished
//
// Every file is written as package disk does it: a cut at any moment leaves the last good copy. Keys are on the disk before anything
// is asked with them, and a membership appears in networks/ whole, by one rename: whoever dies on the way starts the same join again
// and gets the same node.
//
// A membership whose files are damaged is told as such and left alone. Nothing here ever makes a new identity in its place.
package state
