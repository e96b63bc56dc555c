package sqlite

import (
	"net/netip"
	"slices"
	"testing"
)

// before0012 is a tenant whose node has a network approved and another offered, before it was noted who approves.
const before0012 = `
INSERT INTO meta (one, controller, trust_domain, epoch, created) VALUES (1, 1, 'x', 1, 1);
INSERT INTO tenant (id, name, created, born, hard) VALUES (0, '', 1, 0, 0), (5, 'acme', 1, 1, 40);
INSERT INTO network (tenant, id, name, range4, range6, created, born, version) VALUES (5, 11, 'office', '10.1.0.0/16', '', 1000000, 2, 3);
INSERT INTO node (tenant, id, network, name, identity, wg, address4, tags, pending, ephemeral, joined_by, created, born, os, software, record, revision, version, offered, approved) VALUES
	(5, 21, 11, 'gate', zeroblob(33), zeroblob(32), '10.1.0.2', 'null', 0, 0, 31, 1, 5, 'linux', '1.0', x'00', 1, 40, '["10.20.0.0/16","10.30.0.0/16"]', '["10.20.0.0/16"]');`

func TestWhatWasApprovedStaysApprovedAsIfByAnAdmin(t *testing.T) {
	s := openTest(t, Config{Dir: databaseAt(t, 11, before0012)})
	n, err := s.For(5).Node(t.Context(), 21)
	if want := []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}; err != nil || !slices.Equal(n.Approved, want) || !slices.Equal(n.Routes(), want) || n.Granted != nil || n.Refused != nil {
		t.Errorf("%+v, %v", n, err)
	}
}
