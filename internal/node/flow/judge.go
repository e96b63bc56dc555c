package flow

import "github.com/cvlan/cvlan/policy/filter"

// judge decides about a packet that is not plain, or without rules.
func (q *question) judge(head []byte, size int, k *key) bool {
	reason := q.p.ParseHead(head, size)
	switch {
	case reason != filter.Allowed:
	case q.r.set == nil:
		reason = filter.Closed
	default:
		reason = q.decide(head, k)
	}
	if reason == filter.Allowed {
		return true
	}
	q.t.deny(q, reason)
	return false
}

// question is a packet about which is to be decided.
type question struct {
	t   *Table
	r   *rules
	now tick
	out bool
	p   filter.Packet // of a plain one nothing until it is denied

	ipsec bool // it is carried by IPsec
	bare  bool // it is not, and some pairs talk through IPsec only

	// The packet's flow, if the packet is plain or was looked for, and its flags or type.
	plain bool
	flags uint8
	hash  uint64

	rule int // that has decided last, about the packet or about one by which its flow would begin
}

func (q *question) decide(head []byte, k *key) filter.Reason {
	switch q.p.Fragment {
	case filter.Later:
		if reason, known := q.t.fragments.follow(q); known && !q.bare { // a bare one is as its pair must be
			return reason
		}
		return q.ask()
	case filter.First:
		reason := q.first(head, k)
		if reason == filter.Allowed {
			q.t.fragments.begin(q)
		}
		return reason
	}
	return q.first(head, k)
}

// first decides about a packet that has its transport header.
func (q *question) first(head []byte, k *key) filter.Reason {
	p := &q.p
	switch {
	case p.IsError():
		if q.quotes(head) {
			return filter.Allowed
		}
		return q.ask()
	case isICMP(p.Proto) && !isEcho(p):
		return q.ask()
	}
	return q.segment(k)
}

// segment decides about a packet that may belong to a flow.
func (q *question) segment(k *key) filter.Reason {
	if !q.plain {
		*k = keyOfPacket(&q.p, q.out)
		q.hash, q.flags = k.hash(&q.t.seed), q.p.Flags
	}
	if k.proto() == filter.TCP && !sane(q.flags) {
		return filter.Malformed
	}
	s := q.t.shard(q.hash)
	s.mu.Lock()
	s.latest = q.now
	at, lives := s.look(k, q.hash, q.now)
	var reason filter.Reason
	if lives {
		reason = q.known(s, at, k)
	} else {
		reason = q.unknown(s, at, k)
	}
	s.mu.Unlock()
	return reason
}

// sane is false for flags that TCP never sends.
func sane(flags uint8) bool {
	if flags&filter.SYN != 0 {
		return flags&(filter.FIN|filter.RST) == 0
	}
	return flags&(filter.ACK|filter.RST) != 0
}

// ask has the rules judge a packet that belongs to no flow.
func (q *question) ask() (r filter.Reason) {
	if q.out {
		r, q.rule = q.r.set.JudgeOut(&q.p, q.ipsec)
		return r
	}
	r, q.rule = q.r.set.JudgeIn(&q.p, q.ipsec)
	if r == filter.NeedsIPsec && q.r.before != nil && q.r.before.In(&q.p, false) == filter.Allowed {
		return filter.Allowed
	}
	return r
}

// opens has the rules judge whether an end may begin a flow: ours, out, or the other.
func (q *question) opens(k *key, out bool) (r filter.Reason) {
	if r, q.rule = k.judge(q.r.set, out, q.ipsec); r == filter.NeedsIPsec {
		r = q.unaware(k, out)
	}
	return r
}

// judge has a Set judge what begins the flow, out or in.
func (k *key) judge(set *filter.Set, out, ipsec bool) (filter.Reason, int) {
	service := k.service(out)
	return set.Judge(out, filter.Address{Hi: k[0], Lo: k[1]}, filter.Address{Hi: k[2], Lo: k[3]}, service, service, ipsec)
}

// unaware judges a packet, of a flow that our end has opened or the other, that needs IPsec and has none: its sender may not know that yet.
func (q *question) unaware(k *key, out bool) filter.Reason {
	if q.out || q.r.before == nil {
		return filter.NeedsIPsec
	}
	if r, _ := k.judge(q.r.before, out, false); r != filter.Allowed {
		return filter.NeedsIPsec
	}
	return filter.Allowed
}

// known decides about a packet of a flow, with the lock of its shard.
func (q *question) known(s *shard, at place, k *key) filter.Reason {
	st := s.at(at).state()
	if q.begins(st, k) {
		if reason := q.opens(k, q.out); reason != filter.Allowed {
			return reason
		}
		q.count(s)
		s.update(at, q.now, q.r.epoch, opened(q.out))
		return filter.Allowed
	}
	reason := q.review(s, at, k)
	if reason == filter.NeedsIPsec {
		return asSeen(reason, st.by(q.out))
	}
	st = s.at(at).state()
	if st&cut != 0 {
		if !q.turns(st, k) {
			return asSeen(reason, st.by(q.out))
		}
		q.count(s)
		st = opened(q.out)
	}
	if k.proto() == filter.TCP {
		st = st.segment(q.flags, q.out)
	} else {
		st = st.heard(q.out)
	}
	s.update(at, q.now, q.r.epoch, st)
	return filter.Allowed
}

// turns reports whether a packet of a flow that is cut may begin one the other way round. If not, the rule that has cut the flow is the one
// that counts.
func (q *question) turns(st state, k *key) bool {
	if k.proto() == filter.TCP || isICMP(k.proto()) || st.by(q.out) {
		return false
	}
	rule := q.rule
	if q.opens(k, q.out) == filter.Allowed {
		return true
	}
	q.rule = rule
	return false
}

// begins reports whether a packet of a known flow begins another one instead, from the other end.
func (q *question) begins(st state, k *key) bool {
	return k.proto() == filter.TCP && q.flags&(filter.SYN|filter.ACK) == filter.SYN && !st.by(q.out) && (st.phase() != single || st&cut != 0)
}

// review has a flow judged by the rules in force, if others have judged it, or it is cut, or its packet comes by another protocol than the rules
// may want. That alone cuts no flow: it goes on by IPsec.
func (q *question) review(s *shard, at place, k *key) filter.Reason {
	x := s.at(at)
	st := x.state()
	if uint32(x.mood.Load()>>32) == q.r.epoch && st&cut == 0 && !q.bare {
		return filter.Allowed
	}
	out := st&opener != 0
	reason := q.opens(k, out)
	if reason == filter.NeedsIPsec {
		return reason
	}
	after := st &^ cut
	if reason != filter.Allowed {
		after |= cut
	}
	s.update(at, q.now, q.r.epoch, after)
	return reason
}

// unknown decides about a packet that belongs to nothing, with the lock of the shard where its flow will be.
func (q *question) unknown(s *shard, at place, k *key) filter.Reason {
	out := q.opener(k)
	var reason filter.Reason // as opens, written out: what comes here begins a flow, and a call counts
	service := k.service(out)
	reason, q.rule = q.r.set.Judge(out, filter.Address{Hi: k[0], Lo: k[1]}, filter.Address{Hi: k[2], Lo: k[3]}, service, service, q.ipsec)
	if reason == filter.NeedsIPsec {
		reason = q.unaware(k, out)
	}
	if reason != filter.Allowed || q.passing(k) {
		return asSeen(reason, out == q.out)
	}
	st := opened(out)
	switch {
	case k.proto() != filter.TCP:
	case q.flags&filter.FIN != 0:
		st = st.fin(q.out)
	case out != q.out:
		st = st.with(answered)
	}
	s.add(at, k, q.hash, q.now, q.r.epoch, st, k.source(&q.t.seed))
	q.count(s)
	return filter.Allowed
}

// asSeen is a reason for an opener's packet as it is told of this one, which may be the other end's.
func asSeen(r filter.Reason, same bool) filter.Reason {
	switch {
	case same:
	case r == filter.UnknownSource:
		return filter.UnknownDestination
	case r == filter.UnknownDestination:
		return filter.UnknownSource
	}
	return r
}

// passing reports whether a packet makes no flow: it ends one, or answers what was not asked.
func (q *question) passing(k *key) bool {
	switch proto := k.proto(); {
	case proto == filter.TCP:
		return q.flags&filter.RST != 0
	case isICMP(proto):
		return !asks(q.flags)
	}
	return false
}

// highPort is where the ports begin that systems give to those who open (Linux; others from 49152 on: RFC 6335, section 6).
const highPort = 32768

// opener tells which end may have opened the flow of a packet that belongs to none: true if it is ours.
func (q *question) opener(k *key) bool {
	if k.proto() != filter.TCP {
		return q.out
	}
	switch q.flags & (filter.SYN | filter.ACK) {
	case filter.SYN:
		return q.out
	case filter.SYN | filter.ACK:
		return !q.out
	}
	ours, theirs := k.ports()
	switch {
	case ours < highPort && theirs >= highPort:
		return false
	case theirs < highPort && ours >= highPort:
		return true
	}
	return q.out
}

// quotes reports whether an ICMP error is about a packet of a flow that is allowed, and is sent to that packet's sender.
func (q *question) quotes(head []byte) bool {
	var inner filter.Packet
	from := q.p.Payload + 8
	if len(head) < from || inner.ParseQuoted(head[from:min(len(head), q.p.Length)]) != filter.Allowed {
		return false
	}
	if inner.Src != q.p.Dst || inner.Fragment == filter.Later || isICMP(inner.Proto) && !isEcho(&inner) {
		return false
	}
	k := keyOfPacket(&inner, !q.out)
	hash := k.hash(&q.t.seed)
	s := q.t.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	at, lives := s.look(&k, hash, q.now)
	return lives && q.review(s, at, &k) == filter.Allowed
}
