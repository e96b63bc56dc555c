// Package stun asks servers where this socket appears from outside, and answers such questions: the binding method of RFC 8489
// and what of RFC 5780 the discovery of a NAT's behaviour needs, as a pure core.
//
// Known attributes: MAPPED-ADDRESS and XOR-MAPPED-ADDRESS (the latter wins), ERROR-CODE, UNKNOWN-ATTRIBUTES, CHANGE-REQUEST,
// OTHER-ADDRESS, RESPONSE-PORT, and FINGERPRINT, which is written into every request and checked wherever it stands. USERNAME and
// MESSAGE-INTEGRITY (also with SHA-256) are passed over: nothing here has credentials, and a client believes an answer because it
// carries the 96 random bits of the question and comes from where the question went. SOFTWARE and whatever else is
// comprehension-optional is ignored. RESPONSE-ORIGIN and PADDING are neither written nor understood.
//
// # Answers that are no weapon
//
// A question's source address may be forged, so that every answer may hit a bystander. Server.Answer keeps to
//
//	len(answer) <= max(len(question), BareAnswer)
//
// where BareAnswer is 44 bytes: a header and an IPv6 address. Anything more (OTHER-ADDRESS, FINGERPRINT) is written only as far as
// the question was as long as the answer becomes. The shortest question, 20 bytes, therefore gets 32 bytes over IPv4 and 44 over
// IPv6 or as an error: in datagrams with their headers at most 1.35 times what was sent. A question that wants its answer from another
// place (CHANGE-REQUEST), and so can have a second machine hit somebody, or at another port (RESPONSE-PORT), gets none at all unless it is BareAnswer long. AppendRequest
// makes questions of RequestSize bytes, which leaves room for all. Only requests are answered, so that two servers cannot be made to talk to each
// other.
//
// # The client
//
// A Client belongs to one local socket and asks up to MaxServers servers in rounds. Unanswered questions are repeated after 250 ms,
// 500 ms and 1 s, and given up after another second: RFC 8489, section 6.2.1, with half its timeout and four of its seven
// transmissions, because a relay is at hand meanwhile and the next round comes. At the end of a round the client compares what
// servers at different IP addresses saw (RFC 5780, section 4.3).
//
// A Filter belongs to a socket that has sent nothing yet, and finds out from where answers reach it (RFC 5780, section 4.4): from the
// server's other port, from its other IP address. It takes 1.5 seconds where they do not.
//
// A Trial finds out whether the NAT keeps an idle mapping for a time (RFC 5780, section 4.6), with a spare socket that nothing else hangs on: it speaks with a server for some
// seconds, as a connection in use does, is silent for that time, and then the server is asked, from another socket, to send to it. What arrives proves the
// mapping; what the spare socket could ask itself would not, for many NATs give a mapping that was forgotten its old port again. A Lifetime decides which times are tried.
package stun
