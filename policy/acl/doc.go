// Package acl reads a network's policy document: HuJSON text in, a validated Document and a list of Problems out.
//
// The document says who may reach what. Without a rule nothing is allowed. A document in the style of Tailscale and Headscale works
// as it is, for what it can express here; what it adds is listed below. docs/reference/policy.md describes every field for people.
//
// # Reading
//
// JSON with comments and trailing commas. Names of fields are matched without regard to case, because many documents in the world
// say "Groups" and "ACLs"; a name that is not known is an error, never ignored. A syntax error is reported alone; after that every
// problem of the document is reported at once, each with line, column, the text in question and a hint, up to MaxProblems.
//
// Bounds: MaxSize bytes, MaxDepth levels, MaxRules rules, MaxList entries of one list. Nothing here is exponential in the input:
// groups are resolved once each, cycles are errors.
//
// # What grants nothing
//
// Sections and features that do not exist here (ssh, node attributes, application capabilities, address sets, steering by "via")
// are kept in the text, listed as warnings, and grant nothing. In a rule that denies they are errors: a deny that silently does
// nothing would open what its author meant to close.
//
// # Meaning
//
// Rules have no order. Of the rules that match a packet, those of the highest priority decide; among them a deny wins. The default
// priority is 0. A source or destination is
//
//   - every node, and every address behind one
//     alice@example.com         the nodes of a user that carry no tag
//     user:*@example.com        the same of all users with that domain
//     group:name                the same of the users in a group, which may contain groups
//     tag:name                  the nodes with a tag
//     10.0.0.7  fd00::/64  a-b  the nodes with such an address, and such addresses behind a router
//     name                      an entry of "hosts"
//     autogroup:member          the nodes of all users, without a tag; autogroup:tagged: those with one
//     autogroup:admin, :owner   the nodes of users who have that role in the network
//     autogroup:self            as a destination: the source user's own nodes
//     autogroup:internet        as a destination: public addresses, through an exit node
//
// A rule that names no protocol means TCP, UDP, ICMP and ICMPv6; ICMP, which has no ports, goes with every list of ports. A rule that
// denies and names none means every protocol, or, with ports, those that have ports: it does not deny ICMP by the way. A window ("when") is local wall time of its zone. A rule with require ["ipsec"] that allows anything between two
// nodes makes IPsec the only way for everything between them.
//
// Time zones come through Options, because a core reads no files.
package acl
