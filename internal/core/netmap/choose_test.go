package netmap

import (
	"strings"
	"testing"

	"github.com/cvlan/cvlan/proto/control"
)

const wg, ipsec, either = control.WireGuard, control.IPsec, control.WireGuard | control.IPsec

func TestWhatAPairSpeaks(t *testing.T) {
	old, plain, prefers, strict := control.Speech{Speaks: wg}, control.Speech{Speaks: either}, control.Speech{Speaks: either, Prefers: ipsec}, control.Speech{Speaks: ipsec}
	for name, c := range map[string]struct {
		a, b     control.Speech
		required bool
		network  control.Tunnels
		want     Choice
	}{
		"nobody asks for anything":            {plain, plain, false, 0, Choice{By: wg}},
		"one prefers":                         {prefers, plain, false, 0, Choice{By: ipsec, Why: ByPreference}},
		"both prefer":                         {prefers, prefers, false, 0, Choice{By: ipsec, Why: ByPreference}},
		"one prefers, the other cannot":       {prefers, old, false, 0, Choice{By: wg, Why: ByNeed}},
		"the network says ipsec":              {plain, plain, false, ipsec, Choice{By: ipsec, Why: ByNetwork}},
		"the network says ipsec, one cannot":  {plain, old, false, ipsec, Choice{By: wg, Why: ByNeed}},
		"the network says wireguard":          {prefers, prefers, false, wg, Choice{By: wg, Why: ByNetwork}},
		"policy overrules the network":        {plain, plain, true, wg, Choice{By: ipsec, Why: ByPolicy, Only: true}},
		"policy requires what one cannot":     {plain, old, true, 0, Choice{By: wg, Why: Unmet, Only: true}},
		"one speaks nothing else":             {strict, plain, false, 0, Choice{By: ipsec, Why: ByNeed}},
		"the network says what one cannot":    {strict, plain, false, wg, Choice{By: ipsec, Why: ByNeed}},
		"nothing in common":                   {strict, old, false, 0, Choice{Why: Apart}},
		"nothing in common, and required":     {strict, old, true, 0, Choice{Why: Apart, Only: true}},
		"two nodes from before the choice":    {old, old, false, 0, Choice{By: wg}},
		"one prefers wireguard, one ipsec":    {control.Speech{Speaks: either, Prefers: wg}, prefers, false, 0, Choice{By: ipsec, Why: ByPreference}},
		"a newer protocol is not known to us": {control.Speech{Speaks: either | 4}, control.Speech{Speaks: 4}, false, 0, Choice{Why: Apart}},
	} {
		if got := Choose(c.a, c.b, c.required, c.network); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestWhoMayNotSpeakIsToldWhatToDo(t *testing.T) {
	only, plain, fips := control.Speech{Speaks: wg}, control.Speech{Speaks: either}, control.Speech{Speaks: ipsec}
	for _, c := range []struct {
		self, other control.Speech
		required    bool
		says        []string
	}{
		{plain, only, true, []string{"that node speaks wireguard only", "take require out"}},
		{only, plain, true, []string{"this node speaks wireguard only", "take require out"}},
		{fips, only, false, []string{"no common protocol", "this node speaks ipsec only", "that node wireguard", "FIPS"}},
	} {
		said := Choose(c.self, c.other, c.required, 0).Fault(c.self, c.other)
		for _, part := range c.says {
			if !strings.Contains(said, part) {
				t.Errorf("%q does not say %q", said, part)
			}
		}
	}
}

// All there is: the same from both ends, never what one of the two does not speak, never something else than required, and open unless it
// cannot be.
func TestBothEndsChooseAlike(t *testing.T) {
	var all []control.Speech
	for speaks := control.Tunnels(1); speaks < 8; speaks++ {
		for _, p := range []control.Tunnels{0, wg, ipsec} {
			all = append(all, control.Speech{Speaks: speaks, Prefers: p})
		}
	}
	for _, a := range all {
		for _, b := range all {
			for _, required := range []bool{false, true} {
				for _, network := range []control.Tunnels{0, wg, ipsec} {
					c := Choose(a, b, required, network)
					common := a.Speaks & b.Speaks & either
					switch {
					case c != Choose(b, a, required, network):
						t.Errorf("%+v and %+v do not agree", a, b)
					case c.By&common != c.By || c.By == either:
						t.Errorf("%+v and %+v speak %v", a, b, c.By)
					case c.Open() && required && c.By != ipsec:
						t.Errorf("%+v and %+v are open by %v, though ipsec is required", a, b, c.By)
					case c.Open() != (common != 0 && (!required || common&ipsec != 0)):
						t.Errorf("%+v and %+v: open is %v", a, b, c.Open())
					case c.Why.String() == "":
						t.Error("no reason")
					case (c.Fault(a, b) == "") != c.Open():
						t.Errorf("%+v and %+v: open is %v, and what is wrong: %q", a, b, c.Open(), c.Fault(a, b))
					}
				}
			}
		}
	}
}
