//go:build interop && linux

package ipsec

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A certificate that the authority has taken back, whoever begins.
func TestRevokedCertificatesAreNotBelieved(t *testing.T) {
	for _, whose := range []string{"ours", "theirs"} {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()
			v := modern
			v.kind, v.revoked = "ecdsa-p256", whose
			meet(t, v, func(w *world) { w.nothing() })
		})
	}
}

// A certificate with an extension that has to be understood, and is not.
func TestCriticalExtensionsAreNotBelieved(t *testing.T) {
	for _, whose := range []string{"ours", "theirs"} {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()
			v := modern
			v.kind, v.critical = "ecdsa-p256", whose
			meet(t, v, func(w *world) { w.nothing() })
		})
	}
}

// They sign by RSA-PSS, as we always do.
func TestBothSignByPSS(t *testing.T) {
	for _, first := range []string{"we", "they"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			v := modern
			v.kind, v.charon = "rsa-2048", "rsa_pss = yes"
			meet(t, v, func(w *world) {
				if first == "they" {
					w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
				}
				w.reach()
				w.ping(20, 5*time.Millisecond)
				if n := w.theirs.counts("with RSA_EMSA_PSS"); n != 2 {
					t.Errorf("%d of two signatures are", n)
				}
			})
		})
	}
}

// Who both are is said by addresses, or they do not say whom they would like to meet.
func TestOtherWaysToSayWhoBothAre(t *testing.T) {
	for name, change := range map[string]func(*variant){
		"addresses":                 func(v *variant) { v.numbers = true },
		"addresses of IPv6":         func(v *variant) { v.numbers, v.six = true, true },
		"they want to meet anybody": func(v *variant) { v.anybody = true },
	} {
		for _, first := range []string{"we", "they"} {
			t.Run(name+"/"+first, func(t *testing.T) {
				t.Parallel()
				v := modern
				change(&v)
				meet(t, v, func(w *world) {
					if first == "they" {
						w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
					}
					w.reach()
					w.ping(20, 5*time.Millisecond)
				})
			})
		}
	}
}

// They want only UDP to one port, and get no more: of all that we offer, that is what both carry.
func TestTrafficOfOnePort(t *testing.T) {
	for _, first := range []string{"we", "they"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			v := modern
			v.child = "mode = tunnel\n        local_ts = 10.2.0.1/32[udp/5201]\n        remote_ts = 10.1.0.1/32[udp]"
			meet(t, v, func(w *world) {
				if *kernel { // charon makes no routes for some ports only
					w.must(w.theirs.host.Do(w.leadBack))
				}
				if first == "they" {
					w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
				}
				w.reach()
				w.ping(20, 5*time.Millisecond)
				if sas := w.theirs.sas(); !strings.Contains(sas, "10.2.0.1/32[udp/5201]") || !strings.Contains(sas, "10.1.0.1/32[udp]") {
					t.Errorf("theirs:\n%s", sas)
				}
				ctx, stop := context.WithTimeout(w.ctx, 3*time.Second)
				defer stop()
				if out, err := w.ours.Run(ctx, w.tool("loadgen"), "tcp", "-to", service, "-streams", "1", "-for", "1s"); err == nil {
					t.Errorf("TCP gets through: %s", out)
				}
			})
		})
	}
}

// nothing checks that neither side gets through to the other.
func (w *world) nothing() {
	w.t.Helper()
	if r := w.tryPing(20, 20*time.Millisecond, time.Second); r.Received != 0 {
		w.t.Errorf("%d pings have come back", r.Received)
	}
	if out, err := w.theirs.ctl("--initiate", "--child", "c", "--timeout", "5"); err == nil {
		w.t.Errorf("they say %s", out)
	}
	if n := w.theirs.installed(); n != 0 {
		w.t.Errorf("they have %d pairs", n)
	}
}

// They prove both anew every few seconds, and make before they break. charon itself may lose what has come just before it forgets the old keys, and
// that it has not opened yet: the more the busier its machine is. We drop none.
func TestTheyProveThemselvesAnewUnderTraffic(t *testing.T) {
	t.Parallel()
	v := modern
	v.connection, v.charon = "reauth_time = 4s\n    over_time = 10s\n    rekey_time = 0", "make_before_break = yes"
	meet(t, v, func(w *world) {
		w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
		w.reach()
		r, drops := w.tryPing(1000, 10*time.Millisecond, soon), w.asks().Drops
		if changes := w.theirs.counts("reauthenticating IKE_SA"); changes == 0 || r.Sent-r.Received > r.Sent/10 || len(drops) > 0 {
			t.Errorf("of %d pings %d have come back after %d changes; our drops: %v; theirs:\n%s", r.Sent, r.Received, changes, drops, w.theirSAs())
		}
		w.until("one pair is left", func() bool { return w.theirs.installed() == 1 })
	})
}

// They break before they make, as charon does of itself, and we call in that very moment, because packets wait. What was on its way then is lost;
// of the two sessions that come of it one stays.
func TestTheyBreakBeforeTheyMakeAndWeCallMeanwhile(t *testing.T) {
	t.Parallel()
	v := modern
	v.connection = "reauth_time = 4s\n    over_time = 10s\n    rekey_time = 0"
	meet(t, v, func(w *world) {
		w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
		w.reach()
		r, changes := w.tryPing(1000, 10*time.Millisecond, soon), w.theirs.counts("reauthenticating IKE_SA")
		if changes == 0 || r.Sent-r.Received > 50*changes {
			t.Errorf("of %d pings %d have come back after %d changes; our drops: %v; theirs:\n%s", r.Sent, r.Received, changes, w.asks().Drops, w.theirSAs())
		}
		w.until("one pair is left", func() bool { return w.theirs.installed() == 1 })
	})
}

// They believe our proof for a while only, and say so (AUTH_LIFETIME, which charon sends to whom it has lent an address): we prove ourselves anew in
// time, and keep the address.
func TestWeProveOurselvesAnewUnderTraffic(t *testing.T) {
	t.Parallel()
	v := modern
	v.connection = "reauth_time = 8s\n    over_time = 4s\n    rand_time = 0\n    rekey_time = 0\n    pools = p"
	v.pools, v.node, v.child = "p {\n    addrs = 10.1.0.1/32\n  }", []string{"-ask"}, "mode = tunnel\n        remote_ts = dynamic"
	meet(t, v, func(w *world) {
		w.reach()
		w.pingAcross(1500, 10*time.Millisecond)
		if since := time.Since(w.asks().Peers[0].SessionSince); since > 11*time.Second || !w.theirs.says("N(AUTH_LFT)") {
			t.Errorf("the session is %v old, or they did not ask for a proof", since)
		}
		if w.theirs.says("reauthenticating IKE_SA") {
			t.Error("they did it themselves")
		}
		w.until("one pair is left", func() bool { return w.theirs.installed() == 1 })
	})
}

// We lend them an address, or they us.
func TestAddressesAreLent(t *testing.T) {
	t.Run("by us", func(t *testing.T) {
		t.Parallel()
		v := modern
		v.connection, v.node = "vips = 0.0.0.0", []string{"-lend"}
		meet(t, v, func(w *world) {
			w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
			w.reach()
			w.ping(20, 5*time.Millisecond)
			if !w.theirs.says("installing new virtual IP 10.2.0.1") && !w.theirs.says("handling INTERNAL_IP4") && !w.theirs.says("CPRP(ADDR") {
				t.Error("they got none")
			}
		})
	})
	t.Run("by them", func(t *testing.T) {
		t.Parallel()
		v := modern
		v.connection, v.pools, v.node = "pools = p", "p {\n    addrs = 10.1.0.1/32\n  }", []string{"-ask"}
		v.child = "mode = tunnel\n        remote_ts = dynamic"
		meet(t, v, func(w *world) {
			w.reach()
			w.ping(20, 5*time.Millisecond)
			if !w.theirs.says("assigning virtual IP 10.1.0.1") {
				t.Error("they lent none")
			}
		})
	})
	t.Run("not to who does not ask", func(t *testing.T) {
		t.Parallel()
		v := modern
		v.node = []string{"-lend"}
		meet(t, v, func(w *world) {
			if out, err := w.theirs.ctl("--initiate", "--child", "c", "--timeout", "5"); err == nil {
				t.Errorf("they say %s", out)
			}
			if n := w.theirs.installed(); n != 0 || !w.theirs.says("FAILED_CP_REQUIRED") && !w.theirs.says("N(CP_REQ)") && !w.theirs.says("N(FAIL_CP_REQ)") {
				t.Errorf("they have %d pairs, or were not told why", n)
			}
		})
	})
}

// Transport mode is between the addresses outside, which nobody has allowed: who wants it gets an IKE SA and no Child SA.
func TestTransportModeIsRefused(t *testing.T) {
	t.Parallel()
	v := modern
	v.child = "mode = transport\n        local_ts = dynamic\n        remote_ts = dynamic"
	meet(t, v, func(w *world) {
		if out, err := w.theirs.ctl("--initiate", "--child", "c", "--timeout", "5"); err == nil {
			t.Errorf("they say %s", out)
		}
		if !w.theirs.says("N(USE_TRANSP)") || !w.theirs.says("N(TS_UNACCEPT)") || w.theirs.installed() != 0 {
			t.Errorf("they did not ask, or have:\n%s", w.theirs.sas())
		}
	})
}

// They make an IKE SA first, without a Child SA, and the Child SA by an exchange of its own.
func TestAnIKESAComesBeforeItsChildSA(t *testing.T) {
	t.Parallel()
	v := modern
	v.connection = "childless = force"
	meet(t, v, func(w *world) {
		w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
		w.reach()
		w.ping(20, 5*time.Millisecond)
		if !w.theirs.says("CREATE_CHILD_SA") {
			t.Error("the Child SA came with IKE_AUTH")
		}
	})
}
