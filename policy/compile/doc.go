// Package compile turns a policy document and a directory of nodes into who sees whom, and into each node's Plan: the rules of its
// packet filter.
//
// # Labels, faces, classes
//
// A label is one selector or posture that some rule mentions. A face is a set of labels: what policy can tell about a node, or about
// the addresses of a prefix behind a router. A class is a node's own face together with the faces of what it routes. Nodes of one
// class are the same to policy, so that everything below works on classes and faces, of which a network of 100,000 nodes has some
// hundreds or thousands. What no rule mentions splits no class.
//
// An entry is one destination of a rule: sources, destination, services, priority, window. Each face keeps two sets of entries, those
// whose source and those whose destination it is. What is allowed from face s to face d is decided by the entries in both
// sources(s) and destinations(d): one AND of two short bit sets. autogroup:self is the one relation that faces do not express; its entries
// match where both nodes have the same user and no tag.
//
// # Visibility
//
// Two nodes see each other if anything may be allowed between them, or between what they route, in either direction: rules with a
// window count as if it were open, denials with a window as if it were not, so that visibility does not depend on the time and a
// window opens on a node without a controller.
//
// # Addresses behind routers
//
// A packet from behind a router has the face of its prefix: the labels of all address selectors that contain it, never the router's.
// A route is split at the selectors inside it, so that the longest prefix names the face. autogroup:internet is every prefix that no
// private or special range contains. A route of no bits, an exit's, stands for those alone: see Reach.
//
// # Change
//
// Put, Remove and PutUser move nodes between classes and append the nodes that are affected: those that saw the node before or see it
// now. That costs the rows of two classes and the length of the answer. Replace compiles another document and compares digests: a
// node's digest is the sum, over the entries that concern it, of the entry's hash times the sum of its peers' numbers. It does not
// depend on the partition into classes, and it is the same unless a rule that concerns the node, or those whom the rule names, changed.
//
// # Decision
//
// Of the entries that match a service, those of the highest priority decide; among them a denial wins; among equals the rule that
// stands first is named. A pair with an entry that requires IPsec has it as its only way, whatever the time: a window does not switch a
// pair's protocol.
//
// Everything is deterministic: the same calls give the same answers in the same order. A Network is not safe for concurrent use; Plans
// share nothing with it that changes.
package compile
