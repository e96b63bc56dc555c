// Package storetest tells the stories that every engine of the store must be able to tell. An engine's tests call Run.
package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/audit"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

// Open makes a new, empty store that takes the time from now, and closes it when the test ends.
type Open func(t *testing.T, now func() time.Time) store.Store

// Run tells all stories to an engine.
func Run(t *testing.T, open Open) {
	for _, story := range []struct {
		name string
		tell func(*testing.T, *bench)
	}{
		{"TenantsHaveUniqueNames", tenantsHaveUniqueNames},
		{"AnAuthorityIsSetOnce", anAuthorityIsSetOnce},
		{"TenantsNeverMeet", tenantsNeverMeet},
		{"TheProviderHasNoNetworks", theProviderHasNoNetworks},
		{"NetworksGetRangesOrKeepTheirs", networksGetRangesOrKeepTheirs},
		{"NetworksChangeAndGo", networksChangeAndGo},
		{"KeysAdmitAsLongAsTheyMay", keysAdmitAsLongAsTheyMay},
		{"AWrongSecretLearnsNothing", aWrongSecretLearnsNothing},
		{"ALostAnswerIsAskedForAgain", aLostAnswerIsAskedForAgain},
		{"AMachineIsOneNodeOfANetwork", aMachineIsOneNodeOfANetwork},
		{"DeadKeysMakeRoom", deadKeysMakeRoom},
		{"NewcomersGetNamesAndAddresses", newcomersGetNamesAndAddresses},
		{"AFullNetworkAdmitsNobody", aFullNetworkAdmitsNobody},
		{"StolenKeysAreRefused", stolenKeysAreRefused},
		{"NodesAreApprovedRenamedAndSigned", nodesAreApprovedRenamedAndSigned},
		{"AnOldVersionIsRefused", anOldVersionIsRefused},
		{"RoutesAreOfferedApprovedAndRevoked", routesAreOfferedApprovedAndRevoked},
		{"WhatThePolicyGrantsEndsWithItsOfferAndByRevoking", whatThePolicyGrantsEndsWithItsOfferAndByRevoking},
		{"RefusalsAreBounded", refusalsAreBounded},
		{"RoutesThatNobodyCanHaveAreRefused", routesThatNobodyCanHaveAreRefused},
		{"SeenAndRenewedChangeNoVersion", seenAndRenewedChangeNoVersion},
		{"EphemeralNodesAreFound", ephemeralNodesAreFound},
		{"PlainDevicesComeAndGo", plainDevicesComeAndGo},
		{"NamesAndKeysAreSharedWithPlainDevices", namesAndKeysAreSharedWithPlainDevices},
		{"ADeletedNodeLeavesPlainDevices", aDeletedNodeLeavesPlainDevices},
		{"PlainDevicesTakeRoom", plainDevicesTakeRoom},
		{"UsersComeChangeAndGo", usersComeChangeAndGo},
		{"WhatIsNoUserIsRefused", whatIsNoUserIsRefused},
		{"GroupsGatherUsers", groupsGatherUsers},
		{"ABigGroupGoesAtOnce", aBigGroupGoesAtOnce},
		{"NodesBelongToWhomTheirKeyNames", nodesBelongToWhomTheirKeyNames},
		{"TagsAreSignedAnew", tagsAreSignedAnew},
		{"AReportIsNewsOnce", aReportIsNewsOnce},
		{"PoliciesHaveAHistory", policiesHaveAHistory},
		{"APolicyOfAnotherVersionIsRefused", aPolicyOfAnotherVersionIsRefused},
		{"ANetworkBeginsWithItsFirstPolicy", aNetworkBeginsWithItsFirstPolicy},
		{"OldPoliciesMakeRoom", oldPoliciesMakeRoom},
		{"APIKeysComeAndGo", apiKeysComeAndGo},
		{"RelaysComeAndGo", relaysComeAndGo},
		{"NodesAreRelays", nodesAreRelays},
		{"RemovedNodesAreRememberedForRelays", removedNodesAreRememberedForRelays},
		{"WhatRelaysCarryIsAddedUp", whatRelaysCarryIsAddedUp},
		{"CertificatesAreIssuedAndRevoked", certificatesAreIssuedAndRevoked},
		{"AnAuthorityIsReplaced", anAuthorityIsReplaced},
		{"AnAuthorityIsCertifiedByAnother", anAuthorityIsCertifiedByAnother},
		{"DeletionsAreRememberedForAWhile", deletionsAreRememberedForAWhile},
		{"ARefusalLeavesNoTrace", aRefusalLeavesNoTrace},
		{"EveryChangeIsInTheTrail", everyChangeIsInTheTrail},
		{"TheSinkHearsWhatLoadShows", theSinkHearsWhatLoadShows},
		{"ACancelledCallerChangesNothing", aCancelledCallerChangesNothing},
		{"AClosedStoreSaysSo", aClosedStoreSaysSo},
	} {
		t.Run(story.name, func(t *testing.T) {
			b := &bench{t: t, now: time.Date(2027, 1, 2, 3, 4, 5, 6000, time.UTC)}
			b.s = open(t, func() time.Time { return b.now })
			story.tell(t, b)
		})
	}
}

// bench is what a story works with: a store, its clock, and short ways to say what usually succeeds.
type bench struct {
	t   *testing.T
	s   store.Store
	now time.Time // changed only between calls
}

const admin = "k1 (admin)"

func ctx() context.Context { return context.Background() }

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (b *bench) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// refused checks that an error is the one expected and that its sentence has all of the words.
func (b *bench) refused(err, want error, words ...string) {
	b.t.Helper()
	if !errors.Is(err, want) {
		b.t.Errorf("got %v, want %v", err, want)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			b.t.Errorf("%q does not say %q", err, w)
		}
	}
}

// tenant makes one.
func (b *bench) tenant(name string) (store.Tenant, store.Handle) {
	b.t.Helper()
	id := ident.New[ident.Tenant]()
	t := must[store.Tenant](b.t)(b.s.CreateTenant(ctx(), admin, name, store.Authority{Tenant: id, Certificate: []byte("certificate"), Key: []byte("private key")}, id))
	return t, b.s.For(id)
}

// network makes one with a free range.
func (b *bench) network(h store.Handle, name string) store.Network {
	b.t.Helper()
	return must[store.Network](b.t)(h.CreateNetwork(ctx(), admin, store.Network{Name: name}, false))
}

// joinKey makes one as described; a secret is given to it.
func (b *bench) joinKey(h store.Handle, k store.JoinKey) (store.JoinKey, key.Secret) {
	b.t.Helper()
	secret := key.NewSecret()
	k.Hash = secret.Hash()
	return must[store.JoinKey](b.t)(h.CreateJoinKey(ctx(), admin, k)), secret
}

// machine is an admission with fresh keys. Only the store's tests may take 33 random bytes for an identity: it never looks.
func machine(k store.JoinKey, s key.Secret, wish string) store.Admission {
	a := store.Admission{Key: k.ID, Secret: s, Wish: wish, Runs: store.Report{OS: "linux", Software: "1.0"}}
	x, y := key.NewSecret(), key.NewSecret()
	a.Identity[0] = 2
	copy(a.Identity[1:], x.Bytes())
	copy(a.WG[:], y.Bytes())
	return a
}

// node admits a machine to a network.
func (b *bench) node(h store.Handle, n store.Network, wish string) store.Node {
	b.t.Helper()
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 1})
	return must[store.Node](b.t)(h.Admit(ctx(), machine(k, s, wish)))
}

// trail returns a tenant's whole trail, verified.
func (b *bench) trail(id ident.Tenant) (all []store.Event) {
	b.t.Helper()
	var last audit.Link
	for {
		page := must[[]store.Event](b.t)(b.s.For(id).Events(ctx(), last.Seq, 100))
		if len(page) == 0 {
			return all
		}
		var err error
		if last, err = audit.Verify(id, last, page); err != nil {
			b.t.Fatal(err)
		}
		all = append(all, page...)
	}
}
