package tui

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tui/draw"
)

// did checks what the controller was asked to do last.
func (s *stage) did(t *testing.T, want string) {
	t.Helper()
	if n := len(s.ruler.done); n == 0 || s.ruler.done[n-1] != want {
		t.Errorf("the controller was asked %q, want %q at last", s.ruler.done, want)
	}
}

func TestNodesAreApprovedTaggedRenamedRemoved(t *testing.T) {
	s := newStage(120, 30, true)
	s.staff()
	s.hear()
	rig := s.ruler.nodes[2].ID.String()
	s.press("7")
	s.wants(t, "1 waits for approval", "pending", "a approve")
	s.press("a") // the pending one stands first
	s.did(t, "approve "+rig)
	s.wants(t, "rig is approved")
	s.press("t", "end", " gpu tag:lab", "enter")
	s.did(t, "tag "+rig+" +[gpu] -[]")
	s.press("t", "backspace", "backspace", "backspace", "enter")
	s.did(t, "tag "+rig+" +[] -[lab]")
	s.press("r", "2", "enter")
	s.did(t, "rename "+rig+" rig2")
	s.press("s")
	s.wants(t, "rig waits for approval already")
	s.press("down", "s")
	s.wants(t, "Until it is approved again nobody reaches it")
	s.press("y")
	s.did(t, "suspend "+s.ruler.nodes[1].ID.String()) // db-1
	s.press("up")
	before := len(s.ruler.done)
	s.press("x")
	s.wants(t, "Remove rig from office?")
	s.press("n", "x", "esc")
	if len(s.ruler.done) != before {
		t.Errorf("a no was a yes: %q", s.ruler.done)
	}
	s.press("x", "y")
	s.did(t, "delete "+rig)
	s.ruler.err = admin.CodePermission.Problem("remove the node", "the key may only read", "log in with another")
	s.press("x", "y")
	s.wants(t, "the key may only read; log in with another")
}

func TestRoutesAreApprovedAndRevoked(t *testing.T) {
	s := newStage(130, 30, true)
	s.staff()
	s.hear()
	db := s.ruler.nodes[1].ID.String()
	s.press("7")
	s.wants(t, "3 nodes, 1 waits for approval, 1 route waits", "7 Nodes 2", "!v routes")
	s.press("v")
	s.wants(t, "rig offers no route")
	s.quiet()
	s.press("down")
	s.wants(t, "ROUTES", "the internet  waits for approval", "10.20.0.0/16  approved by policy", "v routes")
	s.press("v")
	s.wants(t, "approve  the internet   waits for approval", "revoke   10.20.0.0/16   approved by policy")
	s.press("enter")
	s.did(t, "routes "+db+" +[0.0.0.0/0 ::/0] -[]")
	s.wants(t, "the internet through db-1 is approved")
	s.press("v", "down", "enter")
	s.wants(t, "Revoke 10.20.0.0/16 through db-1?")
	s.press("n")
	s.did(t, "routes "+db+" +[0.0.0.0/0 ::/0] -[]")
	s.press("v", "down", "enter", "y")
	s.did(t, "routes "+db+" +[] -[10.20.0.0/16]")
}

func TestWhatStandsBehindANodeIsCalledByItsState(t *testing.T) {
	all4, all6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	n := &admin.Node{Routes: []admin.NodeRoute{{Prefix: all4, Approved: true, ByAdmin: true}, {Prefix: all6, Offered: true, Revoked: true}}}
	var got []string
	for _, b := range behindOf(n) {
		_, state := b.state(draw.Dark())
		got = append(got, b.name+": "+state)
	}
	if want := []string{"the internet by IPv4: approved, not offered", "the internet by IPv6: revoked"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestANodeIsShownAsTheControllerKnowsIt(t *testing.T) {
	s := newStage(80, 40, true)
	s.staff()
	s.ruler.nodes[1].Attributes = map[string]string{"node:os": "linux"}
	s.hear()
	s.press("7", "down", "enter")
	s.pass(0)
	s.did(t, "certificates "+s.ruler.nodes[1].ID.String())
	s.wants(t, "db-1  online", "valid, not revoked", "ATTRIBUTES", "node:os     linux", "esc back")
	s.press("esc")
	s.wants(t, "laptop", "enter details", "!ATTRIBUTES")
	s.press("enter")
	s.ruler.nodes = s.ruler.nodes[:1] // it is removed meanwhile
	s.press("R")
	s.wants(t, "enter details", "!ATTRIBUTES")
}

func TestAPeersRulesAndCertificateStandInItsDetails(t *testing.T) {
	s := newStage(130, 40, true)
	s.hear()
	s.press("down")
	s.pass(0)
	s.wants(t, "✓ tcp:5432, 9100-9110", "✗ tcp:22", "nothing: no rule allows it", "!CERTIFICATE") // beside the list
	s.press("enter")
	s.did(t, "certificates b1")
	s.wants(t, "valid, not revoked", "signed by   CN=CloudVLAN tenant default")
	before := len(s.ruler.done)
	for range 30 {
		s.pass(0)
	}
	if n := len(s.ruler.done); n != before {
		t.Errorf("the controller was asked %d times in half a minute", n-before)
	}
	s.twin.status.Networks[0].Policy.Version = 8
	s.twin.reach["b1"] = local.Reach{Policy: 8, In: []local.ReachRule{{Rule: 1, Services: []string{"udp:53"}, More: 7, IPsec: true}}}
	s.pass(0)
	s.wants(t, "policy version 8", "← from it   ✓ udp:53 and 7 more, through IPsec only")
}

func TestRulesAreForOperators(t *testing.T) {
	s := newStage(130, 40, false)
	s.twin.refused = errRights
	s.hear()
	s.press("enter")
	s.wants(t, "RULES", "Only an operator may see them", "Shown with a login to the controller")
}

func TestAKeyIsShownOnce(t *testing.T) {
	s := newStage(100, 40, true)
	s.staff()
	s.hear()
	s.press("8", "n")
	s.press("ctrl+u") // is typed as text; the line is as it was
	s.press("backspace", "backspace", "backspace", "backspace", "backspace", "backspace", "backspace", "backspace", "backspace", "backspace", "backspace")
	s.press(" 5 7d approve", "enter")
	s.did(t, "key office uses 5 approve true")
	s.wants(t, "New join key", "cvjoin1_q7Xk")
	s.press("c")
	if want := "cvjoin1_" + strings.Repeat("q7Xk", 30); s.copied != want {
		t.Errorf("copied %q", s.copied)
	}
	s.press("r")
	s.wants(t, "█ ▄▄ █", "!cvjoin1_")
	s.press("esc")
	s.wants(t, "!cvjoin1_", "valid")
	s.press("x", "y")
	s.did(t, "revoke "+s.keys.keys[0].ID.String())
}

func TestKeysAsTheyAreTyped(t *testing.T) {
	for text, want := range map[string]string{"": "a key is for a network", "office tomorrow": "is no number of machines", "office -1": "is no number", "office 0m": "is no number", "office 99999999999w": "is no number"} {
		if _, err := parseKey(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	k, err := parseKey("office 2w tag:web ephemeral 0 alice@example.com")
	if err != nil || *k.Uses != 0 || *k.TTLSeconds != 14*86400 || !slices.Equal(k.Tags, []string{"tag:web"}) || !k.Ephemeral || k.Approve || k.User != "alice@example.com" {
		t.Errorf("%+v %v", k, err)
	}
}

func TestPolicyIsExplainedBetweenTwoNodes(t *testing.T) {
	s := newStage(100, 30, true)
	s.deny()
	s.hear()
	s.press("down", "e")
	s.did(t, "explain office laptop db-1:443/tcp")
	s.wants(t, "✓ laptop → db-1", "allowed by acls[0]")
	s.press("x")
	s.did(t, "explain office db-1 laptop:443/tcp")
	s.press("enter", "down", "down", "backspace", "backspace", "backspace", "backspace", "backspace", "backspace", "backspace", "icmp", "enter")
	s.did(t, "explain office db-1 laptop/icmp")
	s.press("3", "down", "enter")
	s.did(t, "explain office laptop db-1:5432/tcp")
	s.press("1", "home", "f")
	s.wants(t, "from bobs-desk: e on another asks policy")
	s.press("end", "e")
	s.did(t, "explain office bobs-desk web-10:5432/tcp")
	s.press("1", "e")
	s.did(t, "explain office laptop web-10:5432/tcp")
	s.ruler.err = errors.New("the controller does not answer")
	s.press("x")
	s.wants(t, "the controller does not answer", "enter ask another")
}

func TestWithoutALoginThereAreNoAdminScreens(t *testing.T) {
	s := newStage(100, 30, false)
	s.hear()
	s.wants(t, "Networks", "!Nodes", "!explain")
	s.press("7")
	if s.at != placePeers {
		t.Errorf("7 leads to %d", s.at)
	}
	s.press("e")
	s.wants(t, "nobody is logged in")
	s.press("shift+tab")
	if s.at != placeNetworks {
		t.Errorf("the last screen is %d", s.at)
	}
}
