package admit

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// relay is what a relay shows.
func (a *authority) relay(id ident.Relay) *x509.Certificate {
	a.Helper()
	leaf, _, err := a.ca.IssueRelay(id, a.request())
	if err != nil {
		a.Fatal(err)
	}
	return a.shown(leaf)
}

// neighbours is an update that names two, of which the first is of the region.
func neighbours() *pb.RelayUpdate {
	return &pb.RelayUpdate{Region: []uint64{4}, Neighbours: &pb.Relays{Relays: []*pb.Relay{
		{Id: 4, Name: "fra-2", Region: "eu", Addresses: []string{"192.0.2.1:8443"}}, {Id: 5, Name: "sfo", Addresses: []string{"192.0.2.2:8443"}}}}}
}

func TestOnlyRelaysOfTheRegionAreNeighbours(t *testing.T) {
	a := newAuthority(t)
	l := a.list()
	a.tell(l, a.tenants(true, 7))
	four := a.relay(4)
	if _, _, err := l.AdmitRelay(four); err == nil {
		t.Fatal("a relay that has been told nothing admits a neighbour")
	}
	a.tell(l, neighbours())
	if id, until, err := l.AdmitRelay(four); err != nil || id != 4 || !until.Equal(birth.Add(ca.RelayLife)) {
		t.Fatal(id, until, err)
	}
	stranger := newAuthority(t)
	server, err := a.ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*x509.Certificate{
		"a relay of another region":    a.relay(5),
		"a relay that nobody has told": a.relay(6),
		"another controller's relay":   stranger.relay(4),
		"a node":                       a.node(7, 4),
		"the controller":               a.shown(server.Certificate[0]),
		"a tenant's authority":         a.shown(a.der[7]),
		"the root":                     a.shown(a.ca.Root()),
	} {
		if id, _, err := l.AdmitRelay(c); err == nil {
			t.Errorf("%s is admitted as %s", name, id)
		}
	}
	if _, n, _, err := l.Admit(four); err == nil {
		t.Error("a neighbour is admitted as node", n)
	}
	a.now = birth.Add(ca.RelayLife + time.Hour)
	if _, _, err := l.AdmitRelay(four); !errors.Is(err, trust.ErrExpired) {
		t.Errorf("expired: %v", err)
	}
}

func TestTheRegionSurvivesARestartAndEndsWithTheList(t *testing.T) {
	a := newAuthority(t)
	l := a.list()
	a.tell(l, neighbours())
	a.tell(l, a.tenants(false, 7)) // says nothing of neighbours
	again := a.list()
	if err := again.Load(l.Encode()); err != nil || !slices.Equal(again.Region(), []ident.Relay{4}) || !bytes.Equal(again.Encode(), l.Encode()) {
		t.Fatal(again.Region(), err)
	}
	alone := neighbours()
	alone.Region = nil
	a.tell(again, alone)
	if len(again.Region()) != 0 || len(again.Neighbours()) != 2 {
		t.Error(again.Region(), again.Neighbours())
	}
}
