package ticket

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
)

func sample() Ticket {
	return Ticket{Kind: Join, Addrs: []string{"ctl.example.com:443", "[2001:db8::1]:8443"}, Pin: [32]byte{1, 2, 3}, ID: 77, Secret: key.NewSecret()}
}

func TestATicketSurvivesATripThroughMail(t *testing.T) {
	a := sample()
	s, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, carried := range []string{s, "  " + s + "\n", s[:40] + "\n " + s[40:]} {
		b, err := Parse(Join, carried)
		if err != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("got %v, %v", b, err)
		}
	}
	if strings.Contains(fmt.Sprintf("%v %+v", a, a), s[60:100]) || strings.Contains(fmt.Sprintf("%v %+v %#v", a, a, a.Secret), fmt.Sprint(a.Secret.Bytes()[:3])) {
		t.Fatal("printing a ticket shows its secret")
	}
}

func TestEveryDamageIsNoticedAndNothingQuoted(t *testing.T) {
	s, _ := sample().Encode()
	for i := range s {
		for _, bad := range []string{s[:i], s[:i] + "A" + s[i+1:], s[:i] + s[i+1:]} {
			if bad == s {
				continue
			}
			_, err := Parse(Join, bad)
			if err == nil {
				t.Fatalf("damage at %d passed", i)
			}
			if i > 60 && strings.Contains(err.Error(), s[40:60]) {
				t.Fatalf("the error quotes the ticket: %v", err)
			}
		}
	}
	admin := sample()
	admin.Kind = Admin
	a, _ := admin.Encode()
	if _, err := Parse(Join, a); err == nil || !strings.Contains(err.Error(), "admin key") {
		t.Fatal("an admin key given as join key:", err)
	}
	for _, bad := range []Ticket{{Kind: Join}, {Kind: "x", Addrs: []string{"a:1"}}, {Kind: Join, Addrs: []string{"noport"}}, {Kind: Join, Addrs: []string{"a:0"}}} {
		if _, err := bad.Encode(); err == nil {
			t.Errorf("%v was encoded", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	s, _ := sample().Encode()
	f.Add(s)
	f.Add("cvlan-join-1-")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := Parse(Join, s)
		if err != nil {
			return
		}
		again, err := k.Encode()
		if err != nil || again != strings.Join(strings.Fields(s), "") && len(k.Addrs) == 0 {
			t.Fatalf("%v does not survive: %v", k, err)
		}
	})
}
