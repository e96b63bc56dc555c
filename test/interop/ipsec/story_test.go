//go:build interop && linux

package ipsec

import (
	"strings"
	"testing"
	"time"
)

// suites are what both have, in their words and as they list it.
var suites = []struct {
	name, listed string
	variant
}{
	{"aes256gcm", "ESP:AES_GCM_16-256", modern},
	{"aes128gcm", "ESP:AES_GCM_16-128", variant{ike: "aes128gcm16-prfsha256-ecp256", esp: "aes128gcm16-ecp256"}},
	{"chacha20poly1305", "ESP:CHACHA20_POLY1305", variant{ike: "chacha20poly1305-prfsha256-x25519", esp: "chacha20poly1305-x25519"}},
	{"aes256-sha256", "ESP:AES_CBC-256/HMAC_SHA2_256_128", variant{ike: "aes256-sha256-modp2048", esp: "aes256-sha256-modp2048"}},
	{"aes256gcm-esn", "ESP:AES_GCM_16-256/ESN", variant{ike: modern.ike, esp: "aes256gcm16-x25519-esn", esn: true}},
	{"aes256-sha256-esn", "ESP:AES_CBC-256/HMAC_SHA2_256_128/ESN", variant{ike: modern.ike, esp: "aes256-sha256-x25519-esn", esn: true}},
	{"aes128-sha256", "ESP:AES_CBC-128/HMAC_SHA2_256_128", variant{ike: "aes128-sha256-ecp384", esp: "aes128-sha256-ecp384"}},
}

func TestWeBeginAndPacketsPass(t *testing.T) {
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			meet(t, s.variant, func(w *world) {
				w.reach()
				w.ping(50, 5*time.Millisecond)
				if r := w.transfer(); r.Bytes < 100_000 { // how fast is for a benchmark to say
					t.Errorf("%v", r)
				}
				if sas := w.theirs.sas(); !strings.Contains(sas, s.listed) || w.theirs.installed() != 1 {
					t.Errorf("theirs:\n%s", sas)
				}
			})
		})
	}
}

func TestTheyBeginAndPacketsPass(t *testing.T) {
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			meet(t, s.variant, func(w *world) {
				w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
				w.reach()
				w.ping(50, 5*time.Millisecond)
				if sas := w.theirs.sas(); !strings.Contains(sas, s.listed) || w.theirs.installed() != 1 {
					t.Errorf("theirs:\n%s", sas)
				}
			})
		})
	}
}

// Our soft lifetime is two seconds: there are several pairs in ten, and no ping is lost.
func TestWeReplaceKeysUnderTraffic(t *testing.T) {
	t.Parallel()
	v := modern
	v.soft = 2 * time.Second
	meet(t, v, func(w *world) {
		w.reach()
		w.pingAcross(1000, 10*time.Millisecond)
		if since := time.Since(w.asks().Peers[0].SessionSince); since > 4*time.Second {
			t.Errorf("the keys are %v old", since)
		}
		w.until("one pair is left", func() bool { return w.theirs.installed() == 1 })
	})
}

// They replace the Child SA, the IKE SA, and the Child SA again.
func TestTheyReplaceKeysUnderTraffic(t *testing.T) {
	t.Parallel()
	meet(t, modern, func(w *world) {
		w.reach()
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.ping(600, 10*time.Millisecond)
		}()
		for _, what := range []string{"--child", "--ike", "--child"} {
			name := "c"
			if what == "--ike" {
				name = "t"
			}
			w.theirs.does("--rekey", what, name)
		}
		<-done
		w.until("one pair is left", func() bool { return w.theirs.installed() == 1 })
	})
}

// They delete everything. The next packet makes it anew.
func TestTheyHangUpAndWeCallAgain(t *testing.T) {
	t.Parallel()
	meet(t, modern, func(w *world) {
		w.reach()
		before := w.asks().Peers[0].SessionSince
		w.theirs.does("--terminate", "--ike", "t", "--timeout", "10")
		w.until("our node has forgotten the pair, or called again already", func() bool { return w.asks().Peers[0].SessionSince.Sub(before).Abs() > time.Millisecond })
		w.reach()
	})
}

// Our node ends, and tells them.
func TestWeHangUpAndTheyForget(t *testing.T) {
	t.Parallel()
	meet(t, modern, func(w *world) {
		w.reach()
		w.must(w.node.Stop(5 * time.Second))
		w.until("they have no SA", func() bool { return !strings.Contains(w.theirs.sas(), "ESTABLISHED") })
	})
}

// They restart and know nothing any more. We notice the silence.
func TestTheyRestartAndAreFoundAgain(t *testing.T) {
	t.Parallel()
	meet(t, modern, func(w *world) {
		w.reach()
		w.theirs.proc.Kill()
		<-w.theirs.proc.Done()
		w.theirs.start()
		for end := time.Now().Add(75 * time.Second); time.Now().Before(end); {
			if r := w.tryPing(20, 50*time.Millisecond, time.Second); r.Received == r.Sent {
				return
			}
		}
		t.Error("nothing comes back any more")
	})
}

// They restart and call: what we had with them is gone at once (INITIAL_CONTACT).
func TestTheyRestartAndCall(t *testing.T) {
	t.Parallel()
	meet(t, modern, func(w *world) {
		w.reach()
		w.theirs.proc.Kill()
		<-w.theirs.proc.Done()
		w.theirs.start()
		w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
		w.reach()
		w.ping(50, 5*time.Millisecond)
		if n := w.asks().SAs; n != 1 || !w.theirs.says("N(INIT_CONTACT)") {
			t.Errorf("we have %d IKE SAs", n)
		}
	})
}

// We restart without a word, and call: they have nothing of our former life.
func TestWeRestartAndCall(t *testing.T) {
	t.Parallel()
	meet(t, modern, func(w *world) {
		w.reach()
		w.node.Kill()
		<-w.node.Done()
		w.start(modern)
		w.reach()
		w.ping(50, 5*time.Millisecond)
		if sas := w.theirs.sas(); strings.Count(sas, "ESTABLISHED") != 1 || w.theirs.installed() != 1 || !w.theirs.says("received INITIAL_CONTACT") {
			t.Errorf("theirs:\n%s", sas)
		}
	})
}

// Certificates of every kind of key, and who begins.
func TestCertificatesAreBelieved(t *testing.T) {
	for kind := range signers {
		for _, first := range []string{"we", "they"} {
			t.Run(kind+"/"+first, func(t *testing.T) {
				t.Parallel()
				v := modern
				v.kind = kind
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

func TestCertificatesOfAnotherAuthorityAreNot(t *testing.T) {
	t.Parallel()
	v := modern
	v.kind, v.wrong = "ecdsa-p256", true
	meet(t, v, func(w *world) {
		if r := w.tryPing(20, 20*time.Millisecond, time.Second); r.Received != 0 {
			t.Errorf("%d pings have come back", r.Received)
		}
		if out, err := w.theirs.ctl("--initiate", "--child", "c", "--timeout", "5"); err == nil {
			t.Errorf("they say %s", out)
		}
		if n := w.theirs.installed(); n != 0 {
			t.Errorf("they have %d pairs", n)
		}
	})
}

func TestWrongSecretMakesNothing(t *testing.T) {
	t.Parallel()
	v := modern
	v.wrong = true
	meet(t, v, func(w *world) {
		if r := w.tryPing(20, 20*time.Millisecond, time.Second); r.Received != 0 {
			t.Errorf("%d pings have come back", r.Received)
		}
		if out, err := w.theirs.ctl("--initiate", "--child", "c", "--timeout", "5"); err == nil {
			t.Errorf("they say %s", out)
		}
		if n := w.theirs.installed(); n != 0 {
			t.Errorf("they have %d pairs", n)
		}
	})
}

// What Windows offers as it comes is understood by who asks for that profile, and refused by who does not.
func TestBrokenAlgorithmsAreForThoseWhoAsk(t *testing.T) {
	old := variant{ike: "aes256-sha256-modp1024", esp: "aes256-sha1"}
	t.Run("asked", func(t *testing.T) {
		t.Parallel()
		v := old
		v.profile = "windows-default"
		meet(t, v, func(w *world) {
			w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
			w.reach()
			w.ping(50, 5*time.Millisecond)
			if sas := w.theirs.sas(); !strings.Contains(sas, "ESP:AES_CBC-256/HMAC_SHA1_96") {
				t.Errorf("theirs:\n%s", sas)
			}
		})
	})
	t.Run("not asked", func(t *testing.T) {
		t.Parallel()
		meet(t, old, func(w *world) {
			if out, err := w.theirs.ctl("--initiate", "--child", "c", "--timeout", "5"); err == nil {
				t.Errorf("they say %s", out)
			}
		})
	})
}

// What RFC 9206 has is spoken, by whichever certificates it allows, and nothing less.
func TestWhoSpeaksCNSA(t *testing.T) {
	const suite, esp = "aes256gcm16-prfsha512-ecp384", "aes256gcm16-ecp384"
	for name, c := range map[string]struct {
		ike, kind string
		no        bool
	}{
		"its suite":              {suite, "ecdsa-p384", false},
		"with SHA-384":           {"aes256gcm16-prfsha384-ecp384", "ecdsa-p384", false},
		"RSA":                    {suite, "rsa-3072", false},
		"not AES-128":            {"aes128gcm16-prfsha512-ecp384", "ecdsa-p384", true},
		"not SHA-256":            {"aes256gcm16-prfsha256-ecp384", "ecdsa-p384", true},
		"not P-256":              {"aes256gcm16-prfsha512-ecp256", "ecdsa-p384", true},
		"not small certificates": {suite, "ecdsa-p256", true},
		"not small ones of RSA":  {suite, "rsa-2048", true},
		"not secrets":            {suite, "", true},
	} {
		v := variant{ike: c.ike, esp: esp, kind: c.kind, profile: "cnsa1"}
		if c.no {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				meet(t, v, func(w *world) { w.nothing() })
			})
			continue
		}
		for _, first := range []string{"we", "they"} {
			t.Run(name+"/"+first, func(t *testing.T) {
				t.Parallel()
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
