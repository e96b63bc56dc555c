package view

// A network keeps two lists of its members: by hard and by soft version.
const (
	byHard = iota
	bySoft
	lists
)

// link is a member's place in one list.
type link struct {
	prev, next *member
	in         bool
}

// list holds members in the order of their versions, newest last, linked through themselves.
type list struct {
	which int
	last  *member
}

// push moves m to the end, from wherever it was.
func (l *list) push(m *member) {
	l.drop(m)
	at := &m.link[l.which]
	*at = link{prev: l.last, in: true}
	if l.last != nil {
		l.last.link[l.which].next = m
	}
	l.last = m
}

// drop takes m out if it is in.
func (l *list) drop(m *member) {
	at := &m.link[l.which]
	if !at.in {
		return
	}
	if at.prev != nil {
		at.prev.link[l.which].next = at.next
	}
	if at.next != nil {
		at.next.link[l.which].prev = at.prev
	} else {
		l.last = at.prev
	}
	*at = link{}
}

// since appends to dst the members whose version in this list is above floor, oldest first.
func (l *list) since(dst []*member, floor uint64) []*member {
	for m := l.last; m != nil && m.versions[l.which] > floor; m = m.link[l.which].prev {
		dst = append(dst, m)
	}
	for i, j := 0, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

// newest is the version of the last member; 0 if there is none.
func (l *list) newest() uint64 {
	if l.last == nil {
		return 0
	}
	return l.last.versions[l.which]
}
