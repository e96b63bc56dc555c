package relays

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/internal/node/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const theRelay ident.Relay = 4

// theRealm is one trust domain: theRelay, and tenant 7 with node 9.
var theRealm = sync.OnceValue(func() (r struct{ root, relay, controller, node *trusttest.Party }) {
	r.root = trusttest.Root()
	r.relay = r.root.Mint(trust.RelayName(trusttest.Domain, theRelay))
	r.controller = r.root.Mint(trust.ControllerName(trusttest.Domain, 3))
	r.node = r.root.Mint(trust.TenantName(trusttest.Domain, 7)).Mint(trust.NodeName(trusttest.Domain, 7, 9))
	return r
})

func credentials() session.Credentials {
	return session.Credentials{Certificate: theRealm().node.TLS(), Pin: theRealm().root.Pin()}
}

// stranger calls itself theRelay, under a root of its own.
func stranger() *trusttest.Party {
	return trusttest.Root().Mint(trust.RelayName(trusttest.Domain, theRelay))
}
