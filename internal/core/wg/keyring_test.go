package wg

import (
	"testing"

	"github.com/cvlan/cvlan/internal/base/mono"
)

func TestTheKeyringKeepsWhatMayStillArrive(t *testing.T) {
	s := make([]*Session, 6)
	for i := range s {
		s[i] = &Session{local: uint32(i)}
	}
	var k keyring
	want := func(step string, previous, current, next *Session) {
		t.Helper()
		if k.previous != previous || k.current != current || k.next != next {
			t.Errorf("%s: %+v", step, k)
		}
	}
	k.adopt(s[0])
	want("our first", nil, s[0], nil)
	k.offer(s[1])
	want("theirs", nil, s[0], s[1])
	k.promote()
	want("theirs, used", s[0], s[1], nil)
	if dropped := k.adopt(s[2]); dropped != [2]*Session{nil, s[0]} {
		t.Errorf("dropped %v", dropped)
	}
	want("ours again", s[1], s[2], nil)
	if dropped := k.offer(s[3]); dropped != [2]*Session{nil, s[1]} {
		t.Errorf("dropped %v", dropped)
	}
	want("theirs while ours is under way", nil, s[2], s[3])
	if dropped := k.adopt(s[4]); dropped != [2]*Session{s[2], nil} {
		t.Errorf("dropped %v", dropped)
	}
	want("both began", s[3], s[4], nil)
	k.offer(s[5])
	if dropped := k.expire(mono.Time(RejectAfterTime)); dropped != [3]*Session{nil, s[4], s[5]} {
		t.Errorf("expired %v", dropped)
	}
	want("too old", nil, nil, nil)
}
