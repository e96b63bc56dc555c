package sqlite

import (
	"crypto/sha256"
	"reflect"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
)

// before0004 is a tenant as it was before there were people: an open and a closed network, a node and a key with tags.
const before0004 = `
INSERT INTO meta (one, controller, trust_domain, epoch, created) VALUES (1, 1, 'x', 1, 1);
INSERT INTO tenant (id, name, created, born, hard) VALUES (0, '', 1, 0, 0), (5, 'acme', 1, 1, 40), (6, 'zulu', 1, 1, 7), (8, 'empty', 1, 1, 3);
INSERT INTO network (tenant, id, name, range4, range6, rules, created, born, version) VALUES
	(5, 11, 'open', '10.1.0.0/16', '', '[{"src":"members","dst":"members"}]', 1000000, 2, 3),
	(5, 12, 'closed', '10.2.0.0/16', '', 'null', 2000000, 3, 4),
	(6, 13, 'empty', '10.1.0.0/16', '', '[]', 3000000, 2, 3);
INSERT INTO node (tenant, id, network, name, identity, wg, address4, tags, pending, ephemeral, joined_by, created, born, os, software, record, revision, version) VALUES
	(5, 21, 11, 'web', zeroblob(33), zeroblob(32), '10.1.0.2', '["server","b"]', 0, 0, 31, 1, 5, 'darwin', '1.0', x'00', 1, 40),
	(5, 22, 11, 'bare', randomblob(33), randomblob(32), '10.1.0.3', 'null', 0, 0, 31, 1, 6, 'linux', '', x'00', 1, 39);
INSERT INTO join_key (tenant, id, network, hash, uses, expires, ephemeral, approve, tags, created, created_by, born, touched) VALUES
	(5, 31, 11, zeroblob(32), 0, 0, 0, 0, '["server"]', 1, 'me', 4, 1);`

func TestNetworksWithoutAPolicyGetTheirFirst(t *testing.T) {
	s := openTest(t, Config{Dir: databaseAt(t, 3, before0004)})
	acme, err := s.For(5).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open, closed := acme.Policies[0], acme.Policies[1]
	if string(open.Text) != string(store.FirstPolicy(true)) || string(closed.Text) != string(store.FirstPolicy(false)) {
		t.Errorf("the open network has\n%s\nthe closed one\n%s", open.Text, closed.Text)
	}
	if open.Network != 11 || closed.Network != 12 || open.Number != 1 || open.Version != 41 || closed.Version != 42 || acme.Tenant.Hard != 42 || !open.At.Equal(time.Unix(1, 0)) {
		t.Errorf("%+v, %+v, at %d", open, closed, acme.Tenant.Hard)
	}
	for _, p := range acme.Policies {
		if p.ETag != store.PolicyETag(p.Network, 1, sha256.Sum256(p.Text)) {
			t.Errorf("network %s has etag %s", p.Network, p.ETag)
		}
	}
	web, bare := acme.Nodes[1], acme.Nodes[0]
	if !reflect.DeepEqual(web.Tags, []string{"tag:server", "tag:b"}) || bare.Tags != nil || web.Attrs[acl.AttrOS] != "macos" || web.OS != "darwin" || web.Attrs[acl.AttrVersion] != "1.0" || web.User != "" {
		t.Errorf("%+v, %+v", web, bare)
	}
	if k, err := s.For(5).JoinKeys(t.Context(), 11); err != nil || !reflect.DeepEqual(k[0].Tags, []string{"tag:server"}) || k[0].User != "" {
		t.Errorf("%+v, %v", k, err)
	}
	for id, want := range map[ident.Tenant]uint64{6: 8, 8: 3} {
		if other, err := s.For(id).Tenant(t.Context()); err != nil || other.Hard != want {
			t.Errorf("%+v, %v; want version %d", other, err, want)
		}
	}
}

func TestTheFirstPoliciesAreValid(t *testing.T) {
	for _, open := range []bool{true, false} {
		doc, problems := acl.Parse(store.FirstPolicy(open), acl.Options{})
		if len(problems) != 0 || (len(doc.Rules) > 0) != open {
			t.Errorf("open %v: %d rules, %v", open, len(doc.Rules), problems)
		}
	}
}
