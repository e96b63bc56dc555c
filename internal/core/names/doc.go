// Package names answers DNS questions about the networks that a machine is in: bytes in, and out come the answer's bytes, or the word that
// the question is for somebody else.
//
// # What is ours
//
// Every name in cvlan.internal, of networks that this machine is not in too, so that no such question ever leaves it; and the reverse names of the
// networks' ranges. A network whose controller says that its domain lies elsewhere has no names: a controller must not be able to answer for
// other people's domains.
//
// # Answers
//
// A, AAAA and PTR of what the map shows, which is what policy shows: a name that is hidden and one that does not exist are answered alike. A name that exists
// without what was asked for gets an empty answer, one that does not NXDOMAIN, both with a SOA record (RFC 2308). Names are compared without
// regard to case and come back as they were asked (RFC 4343). A UDP answer is as long as the question allows (RFC 1035, section 4.2.1, and EDNS: RFC 6891), at
// most MaxUDP bytes, else truncated. Whatever breaks the protocol is answered with the code for that, or dropped where an answer could make a loop.
package names
