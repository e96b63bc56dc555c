package resolver

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/core/names"
	"github.com/cvlan/cvlan/internal/sys/hostdns"
)

var upstream = netip.MustParseAddr("192.0.2.1")

func office(hosts ...names.Host) Network {
	return Network{"cvlan0", &names.Network{Name: "office", Domain: "office.acme.cvlan.internal", Ranges: []netip.Prefix{netip.MustParsePrefix("10.77.0.0/16")}, Hosts: hosts}}
}

func host(name, addr string) names.Host {
	return names.Host{Name: name, Addrs: []netip.Addr{netip.MustParseAddr(addr)}}
}

// story is a resolver without sockets on a host that is in memory.
type story struct {
	*Resolver
	host *hostdns.Memory

	mu       sync.Mutex
	networks []Network
	changes  int
}

func begin(t *testing.T) *story {
	s := &story{host: hostdns.NewMemory(hostdns.State{Manager: hostdns.File, Path: "/etc/resolv.conf", Upstreams: []netip.Addr{upstream}})}
	s.Resolver = New(Config{Host: s.host, Log: slog.New(slog.DiscardHandler),
		Networks: func() []Network { s.mu.Lock(); defer s.mu.Unlock(); return s.networks },
		Changed:  func() { s.mu.Lock(); defer s.mu.Unlock(); s.changes++ },
		serve:    func() (*server, error) { return newServer(netip.AddrPortFrom(Address, 53)), nil }})
	done := make(chan struct{})
	go func() { defer close(done); s.Run(t.Context()) }()
	t.Cleanup(func() { <-done })
	return s
}

func (s *story) are(all ...Network) {
	s.mu.Lock()
	s.networks = all
	s.mu.Unlock()
	s.Wake()
	time.Sleep(settleFor)
	synctest.Wait()
}

func TestTheHostIsToldOfNetworksAndForgetsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t)
		one := office(host("web-1", "10.77.0.2"))
		s.are(one)
		w, sets := s.host.Now()
		if sets != 1 || w.Server != netip.AddrPortFrom(Address, 53) || len(w.Links) != 1 || !slices.Equal(w.Links[0].Search, []string{"office.acme.cvlan.internal"}) ||
			!slices.Equal(w.Links[0].Routed, []string{"cvlan.internal", "77.10.in-addr.arpa"}) {
			t.Errorf("the host was told %d times, %+v", sets, w)
		}
		if st := s.State(); st.Names != 1 || !st.Host.InPlace || !slices.Equal(st.Search, []string{"office.acme.cvlan.internal"}) {
			t.Errorf("the state is %+v", st)
		}
		if got := s.server.forward.Load().servers; !slices.Equal(got, []netip.Addr{upstream}) {
			t.Errorf("others are asked at %v", got)
		}
		s.are(office(host("web-1", "10.77.0.2"), host("db", "10.77.0.3"))) // a machine more is nothing to the host
		if _, sets := s.host.Now(); sets != 1 || s.State().Names != 2 {
			t.Errorf("the host was told %d times, of %d names", sets, s.State().Names)
		}
		s.are()
		if w, sets := s.host.Now(); sets != 2 || len(w.Links) != 0 || s.State().Server.IsValid() {
			t.Errorf("without networks the host was told %d times, %+v", sets, w)
		}
	})
}

func TestWhatOthersTakeOutIsPutBackAFewTimesAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t)
		s.are(office())
		fights := func() bool { st := s.State(); p := st.Problem(); return p != nil && p.Code == "names-fight" }
		for i := range MaxRestores {
			s.host.Spoil()
			time.Sleep(lookEvery)
			synctest.Wait()
			if w, _ := s.host.Now(); len(w.Links) != 1 || s.State().Restored != i+1 || fights() {
				t.Fatalf("the %d. time it is %+v, %+v", i+1, w, s.State())
			}
		}
		s.host.Spoil()
		time.Sleep(lookEvery)
		synctest.Wait()
		if w, _ := s.host.Now(); len(w.Links) != 0 || !fights() {
			t.Fatalf("it goes on fighting: %+v, %+v", w, s.State())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if w, _ := s.host.Now(); len(w.Links) != 1 || fights() {
			t.Errorf("an hour later it is %+v, %+v", w, s.State())
		}
	})
}

func TestWhatCannotBeSetIsSaidAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t)
		s.host.Fail(errors.New("the disk is full"))
		s.are(office())
		if st := s.State(); st.Problem() == nil || st.Problem().Code != "names-not-set" || st.Host.InPlace {
			t.Fatalf("the state is %+v", st)
		}
		s.mu.Lock()
		before := s.changes
		s.mu.Unlock()
		time.Sleep(10 * lookEvery)
		synctest.Wait()
		s.mu.Lock()
		if s.changes != before {
			t.Errorf("%d times it was told that nothing has changed", s.changes-before)
		}
		s.mu.Unlock()
		s.host.Fail(nil)
		time.Sleep(lookEvery)
		synctest.Wait()
		if st := s.State(); st.Problem() != nil || !st.Host.InPlace || st.Restored != 0 {
			t.Errorf("later the state is %+v", st)
		}
	})
}

func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t)
		if _, err := s.Ask(t.Context(), "web-1"); !errors.Is(err, ErrNotListening) {
			t.Errorf("without networks: %v", err)
		}
		plant := Network{"cvlan1", &names.Network{Name: "plant", Domain: "plant.acme.cvlan.internal", Hosts: []names.Host{host("pump", "10.80.0.2")}}}
		s.are(office(host("web-1", "10.77.0.2")), plant)
		for name, want := range map[string]Answer{
			"web-1":                            {Name: "web-1.office.acme.cvlan.internal", Type: "A", Code: "NOERROR", Records: []string{"10.77.0.2"}, Ours: true},
			"PUMP":                             {Name: "pump.plant.acme.cvlan.internal", Type: "A", Code: "NOERROR", Records: []string{"10.80.0.2"}, Ours: true},
			"web-1.office.acme.cvlan.internal": {Name: "web-1.office.acme.cvlan.internal", Type: "A", Code: "NOERROR", Records: []string{"10.77.0.2"}, Ours: true},
			"x.office.acme.cvlan.internal.":    {Name: "x.office.acme.cvlan.internal", Type: "A", Code: "NXDOMAIN", Ours: true},
			"10.77.0.2":                        {Name: "2.0.77.10.in-addr.arpa", Type: "PTR", Code: "NOERROR", Records: []string{"web-1.office.acme.cvlan.internal"}, Ours: true},
		} {
			all, err := s.Ask(t.Context(), name)
			if err != nil || all[0].Name != want.Name || all[0].Type != want.Type || all[0].Code != want.Code || !slices.Equal(all[0].Records, want.Records) || all[0].Ours != want.Ours || all[0].Why == "" {
				t.Errorf("%s: %+v, %v", name, all, err)
			}
		}
		for _, name := range []string{".", "a..b.c", ".x.y", string(make([]byte, 70)) + ".x"} {
			if _, err := s.Ask(t.Context(), name); !errors.Is(err, ErrNoName) {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
}
