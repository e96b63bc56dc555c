package trust

import (
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
)

func TestEachRoleIsItself(t *testing.T) {
	w := newWorld(t)
	if n, err := VerifyController(chain(w.controller, w.root), w.pin, noon); err != nil || n != ControllerName(domain, w.ctrl) {
		t.Error(n, err)
	}
	if n, err := VerifyRelay(chain(w.relay, w.root), w.pin, noon); err != nil || n != RelayName(domain, 5) {
		t.Error(n, err)
	}
	if n, err := VerifyNode(chain(w.nodeA, w.interA), w.root.Cert, noon); err != nil || n != NodeName(domain, w.a, w.n) {
		t.Error(n, err)
	}
}

func TestNobodyPosesAsTheController(t *testing.T) {
	w := newWorld(t)
	ctrl := ControllerName(domain, w.ctrl).String()
	evil := mint(t, nil, nil, authority(domain, 1))
	forged := mint(t, evil, []string{ctrl}, server)
	notAnAuthority := mint(t, w.controller, []string{ctrl}, server)
	resigned := *w.root.Cert
	resigned.Signature = append([]byte{1}, resigned.Signature...)
	for name, c := range map[string]struct {
		chain []*x509.Certificate
		want  error
	}{
		"a node":                               {chain(w.nodeA, w.interA), ErrPin},
		"a node with the root":                 {chain(w.nodeA, w.root), nil},
		"a node's whole chain":                 {chain(w.nodeA, w.interA, w.root), ErrPin},
		"a relay":                              {chain(w.relay, w.root), ErrRole},
		"a tenant's authority":                 {chain(w.interA, w.root), nil},
		"the root":                             {chain(w.root, w.root), nil},
		"another root":                         {chain(forged, evil), ErrPin},
		"another root's, with ours behind":     {chain(forged, w.root), nil},
		"a controller made by a tenant":        {chain(mint(t, w.interA, []string{ctrl}, server), w.interA), ErrPin},
		"the same, root in place of issuer":    {chain(mint(t, w.interA, []string{ctrl}, server), w.root), nil},
		"made by a leaf":                       {chain(notAnAuthority, w.root), nil},
		"of another trust domain":              {chain(mint(t, w.root, []string{ControllerName("other", w.ctrl).String()}, server), w.root), ErrRole},
		"with two URIs":                        {chain(mint(t, w.root, []string{ctrl, RelayName(domain, 1).String()}, server), w.root), nil},
		"with no URI":                          {chain(mint(t, w.root, nil, server), w.root), nil},
		"for clients only":                     {chain(mint(t, w.root, []string{ctrl}, holder(x509.ExtKeyUsageClientAuth)), w.root), nil},
		"for any use":                          {chain(mint(t, w.root, []string{ctrl}, holder(x509.ExtKeyUsageAny)), w.root), ErrRole},
		"for no stated use":                    {chain(mint(t, w.root, []string{ctrl}, holder()), w.root), ErrRole},
		"with a key of P-384":                  {chain(mintOn(t, elliptic.P384(), w.root, []string{ctrl}, server), w.root), nil},
		"with a root that did not sign itself": {[]*x509.Certificate{w.controller.Cert, &resigned}, ErrPin},
		"without the root":                     {chain(w.controller), ErrPin},
		"with nothing":                         {nil, ErrPin},
	} {
		n, err := VerifyController(c.chain, w.pin, noon)
		if err == nil || n != (Name{}) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s passes for a controller: %v, %v (want %v)", name, n, err, c.want)
		}
	}
	if _, err := VerifyRelay(chain(w.controller, w.root), w.pin, noon); !errors.Is(err, ErrRole) {
		t.Error("a controller passes for a relay:", err)
	}
}

func TestATenantsAuthoritySpeaksForItsTenantOnly(t *testing.T) {
	w := newWorld(t)
	inA, inB := NodeName(domain, w.a, w.n).String(), NodeName(domain, w.b, w.n).String()
	evil := mint(t, nil, nil, authority(domain, 1))
	evilInter := mint(t, evil, []string{TenantName(domain, w.a).String()}, authority("a", 0))
	deep := mint(t, w.interA, []string{TenantName(domain, w.b).String()}, authority("b", 0))
	wide := mint(t, w.root, []string{TenantName(domain, w.a).String()}, func(c *x509.Certificate) {
		authority("a", 0)(c)
		c.PermittedDNSDomainsCritical, c.PermittedURIDomains = true, []string{"elsewhere"}
	})
	for name, chain := range map[string][]*x509.Certificate{
		"tenant A's authority for tenant B":       chain(mint(t, w.interA, []string{inB}, client), w.interA),
		"the same, presented with B's authority":  chain(mint(t, w.interA, []string{inB}, client), w.interB),
		"a node made by the root":                 chain(mint(t, w.root, []string{inA}, client), w.interA),
		"a node made by the root, shown so":       chain(mint(t, w.root, []string{inA}, client), w.root),
		"a node made by another root":             chain(mint(t, evilInter, []string{inA}, client), evilInter),
		"an authority below an authority":         chain(mint(t, deep, []string{inB}, client), deep),
		"an authority of another name constraint": chain(mint(t, wide, []string{inA}, client), wide),
		"an authority without a tenant": func() []*x509.Certificate {
			i := mint(t, w.root, nil, authority("x", 0))
			return chain(mint(t, i, []string{inA}, client), i)
		}(),
		"a controller's certificate":    chain(w.controller, w.root),
		"a relay's role under a tenant": chain(mint(t, w.interA, []string{RelayName(domain, 1).String()}, client), w.interA),
		"for servers only":              chain(mint(t, w.interA, []string{inA}, server), w.interA),
		"the authority itself":          chain(w.interA, w.interA),
		"with a second URI":             chain(mint(t, w.interA, []string{inA, inB}, client), w.interA),
		"that may sign others":          chain(mint(t, w.interA, []string{inA}, authority("n", 0)), w.interA),
		"of another trust domain":       chain(mint(t, w.interA, []string{NodeName("other", w.a, w.n).String()}, client), w.interA),
		"with a key of P-384":           chain(mintOn(t, elliptic.P384(), w.interA, []string{inA}, client), w.interA),
		"without its authority":         chain(w.nodeA),
		"with nothing":                  nil,
	} {
		if n, err := VerifyNode(chain, w.root.Cert, noon); err == nil || n != (Name{}) {
			t.Errorf("%s passes: %v", name, n)
		}
	}
}

func TestAnExpiredCertificateAsksWhetherTheClockIsRight(t *testing.T) {
	w := newWorld(t)
	late := start.AddDate(4, 0, 0)
	_, err := VerifyController(chain(w.controller, w.root), w.pin, Instant{At: late, Local: late})
	if !errors.Is(err, ErrExpired) {
		t.Fatal(err)
	}
	for _, want := range []string{"2027-04-30", "2031-03-01", "timedatectl", "controller"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	_, err = VerifyController(chain(w.controller, w.root), w.pin, Instant{At: late, Local: start})
	if !errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), "at least 2031-03-01") {
		t.Error("a clock that is behind is not named as such:", err)
	}
	evil := mint(t, nil, nil, authority(domain, 1))
	if _, err := VerifyNode(chain(w.nodeA, mint(t, evil, nil, authority("a", 0))), w.root.Cert, Instant{At: late, Local: late}); err == nil || errors.Is(err, ErrExpired) {
		t.Error("a stranger's old certificate makes us doubt the clock:", err)
	}
}

func TestAClockThatLagsStillTrusts(t *testing.T) {
	w := newWorld(t)
	epoch := Instant{At: time.Unix(0, 0), Local: time.Unix(0, 0)}
	if _, err := VerifyController(chain(w.controller, w.root), w.pin, epoch); err != nil {
		t.Error(err)
	}
	// What one certificate tells of the time counts for the others.
	fresh := mint(t, w.interA, []string{NodeName(domain, w.a, w.n).String()}, func(c *x509.Certificate) {
		client(c)
		c.NotBefore, c.NotAfter = start.AddDate(11, 0, 0), start.AddDate(12, 0, 0)
	})
	if _, err := VerifyNode(chain(fresh, w.interA), w.root.Cert, epoch); !errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), "authority of the node") {
		t.Error(err)
	}
}

func TestTheClockNeverRunsBehindWhatIsKnown(t *testing.T) {
	wrong := func() time.Time { return time.Unix(0, 0) }
	if i := (Clock{Local: wrong}).Now(); i.At.Year() < 2026 || i.Local.Year() > 1970 {
		t.Error(i)
	}
	heard := start.AddDate(1, 0, 0)
	if i := (Clock{Local: wrong, Heard: heard}).Now(); !i.At.Equal(heard) {
		t.Error(i)
	}
	if i := (Clock{Heard: start}).Now(); time.Since(i.Local) > time.Minute {
		t.Error(i)
	}
}

func TestTheRootIsKnownByItsPin(t *testing.T) {
	w := newWorld(t)
	if err := CheckRoot(w.root.Cert, w.pin); err != nil {
		t.Error(err)
	}
	if err := CheckRoot(w.interA.Cert, key.Fingerprint(w.interA.Cert)); err == nil {
		t.Error("an authority that is signed by another passes for a root")
	}
}
