package daemon

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/flow"
	"github.com/cvlan/cvlan/policy/filter"
	"github.com/cvlan/cvlan/proto/control"
)

func TestWhatTheRulesAllowIsToldByRule(t *testing.T) {
	self, db, stranger := netip.MustParseAddr("10.77.0.2"), netip.MustParseAddr("10.77.0.3"), netip.MustParseAddr("10.77.0.9")
	table := flow.New(flow.Config{})
	s := &engine.Status{Rules: engine.Rules{Number: 3, Filter: table}, Self: netmap.Self{Record: control.Record{Name: "laptop", Address4: self}}}
	show := func(peer netip.Addr) string {
		b, err := json.Marshal(reach(s, peer))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := show(db); got != `{"schema":1,"peer":"","network":"","policy":3,"out":[],"in":[]}` {
		t.Errorf("without rules: %s", got)
	}
	set, err := filter.New(&filter.Spec{Locals: 1, Remotes: 1, Local: []filter.Place{{Prefix: netip.PrefixFrom(self, 32)}}, Remote: []filter.Place{{Prefix: netip.PrefixFrom(db, 32)}},
		Lists: [][]filter.Span{nil, {{First: 1 << 16, Last: 1<<16 | 65535, Rule: 2}, {First: 6<<16 | 22, Last: 6<<16 | 22, Rule: 0, Deny: true}, {First: 6<<16 | 443, Last: 6<<16 | 443, Rule: 2}}},
		Out:   []filter.Pair{{List: 1, IPsec: true}}, In: []filter.Pair{{List: 0}}})
	if err != nil {
		t.Fatal(err)
	}
	table.Swap(set)
	if got := show(db); got != `{"schema":1,"peer":"","network":"","policy":3,"out":[{"rule":0,"deny":true,"services":["tcp:22"]},{"rule":2,"services":["icmp","tcp:443"],"ipsec":true}],"in":[]}` {
		t.Errorf("%s", got)
	}
	if got := show(stranger); got != `{"schema":1,"peer":"","network":"","policy":3,"out":[],"in":[]}` {
		t.Errorf("a stranger: %s", got)
	}
}

func TestWhatIsToldOfARuleIsBounded(t *testing.T) {
	var spans []filter.Span
	for i := range uint32(100) {
		spans = append(spans, filter.Span{First: 6<<16 | 2*i, Last: 6<<16 | 2*i, Rule: 4})
	}
	if r := told(spans, false); len(r) != 1 || len(r[0].Services) != maxServices || r[0].More != 100-maxServices {
		t.Errorf("%+v", r)
	}
}
