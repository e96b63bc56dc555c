//go:build interop && linux

package ipsec

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/lab"
)

// swan is a charon on a host, in a folder of that host's own.
type swan struct {
	w    *world
	host *lab.Host
	proc *lab.Proc
	dir  string
}

const plugins = "random nonce aes sha1 sha2 hmac kdf mgf1 curve25519 openssl pem pkcs1 pkcs8 x509 pubkey constraints revocation gcm ccm ctr chapoly " +
	"vici %s kernel-netlink socket-default updown"

// settings are charon's own. kernel-libipsec has to come before the kernel's own ESP.
const settings = `charon-systemd {
  load = %[1]s
  port = 500
  port_nat_t = 4500
  install_virtual_ip = no
  filelog {
    log {
      path = %[2]s/charon.log
      default = 1
      flush_line = yes
      time_format = %%T
      time_add_ms = yes
    }
  }
  %[3]s
  plugins {
    vici { socket = unix://%[2]s/vici.sock }
    kernel-libipsec {
      load = 10
      allow_peer_ts = yes
    }
    kernel-netlink { load = 1 }
  }
}
swanctl { plugins { vici { socket = unix://%[2]s/vici.sock } } }
`

// loaded are the plugins for the ESP that is to be met.
func loaded() string {
	if *kernel {
		return fmt.Sprintf(plugins, "")
	}
	return fmt.Sprintf(plugins, "kernel-libipsec")
}

// connection is the one that it knows: with us.
const connection = `connections {
  t {
    version = 2
    local_addrs = %[1]s
    remote_addrs = %[2]s
    local_port = 4500
    remote_port = 4500
    proposals = %[3]s
    encap = yes
    %[9]s
    local {
      auth = %[4]s
      id = %[12]s
    }
    remote {
      auth = %[4]s
      id = %[13]s
    }
    children {
      c {
        local_ts = %[5]s
        remote_ts = %[6]s
        esp_proposals = %[7]s
        %[10]s
        start_action = none
      }
    }
  }
}
pools {
  %[11]s
}
secrets {
  ike-1 {
    id-1 = %[14]s
    id-2 = %[12]s
    secret = "%[8]s"
  }
}
`

// newSwan configures and starts a charon.
func newSwan(w *world, h *lab.Host, v variant) *swan {
	w.t.Helper()
	s := &swan{w: w, host: h, dir: "/run/swan"}
	dir := h.Path(s.dir)
	for _, sub := range []string{"x509ca", "x509", "private", "x509aa", "x509ocsp", "x509crl", "x509ac", "pubkey", "rsa", "ecdsa", "pkcs8", "pkcs12", "bliss"} {
		w.must(os.MkdirAll(filepath.Join(dir, "swanctl", sub), 0o755))
	}
	for file, sub := range map[string]string{theirCert: "x509", theirKey: "private", theirCA: "x509ca", theirLink: "x509ca", theirList: "x509crl"} {
		if _, err := os.Stat(h.Path(file)); err == nil {
			w.must(os.Symlink(file, filepath.Join(dir, "swanctl", sub, filepath.Base(file))))
		}
	}
	whom := w.us
	if v.anybody {
		whom = "%any"
	}
	w.must(os.WriteFile(filepath.Join(dir, "strongswan.conf"), fmt.Appendf(nil, settings, loaded(), s.dir, v.charon), 0o644))
	w.must(os.WriteFile(filepath.Join(dir, "swanctl", "swanctl.conf"),
		fmt.Appendf(nil, connection, w.here(h), w.from(), v.ike, v.method(), theirInside, ourInside, v.esp, v.theirSecret(), orElse(v.connection, "rekey_time = 4h"),
			orElse(v.child, "mode = tunnel"), v.pools, w.them, whom, w.us), 0o600))
	w.must(h.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(theirInside)
		if err != nil {
			return err
		}
		return netlink.AddrAdd(lo, a)
	}))
	s.start()
	return s
}

func (s *swan) start() {
	s.w.t.Helper()
	c := s.host.Command(context.Background(), charon)
	c.Env = append(c.Env, s.env()...)
	s.proc = s.host.StartCmd(c)
	s.w.until("charon listens", func() bool {
		_, err := s.ctl("--load-all")
		return err == nil
	})
}

func (s *swan) env() []string {
	return []string{"STRONGSWAN_CONF=" + s.dir + "/strongswan.conf", "SWANCTL_DIR=" + s.dir + "/swanctl"}
}

// ctl runs swanctl.
func (s *swan) ctl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.w.ctx, 15*time.Second)
	defer cancel()
	c := s.host.Command(ctx, "swanctl", append(args, "--uri", "unix://"+s.dir+"/vici.sock")...)
	c.Env = append(c.Env, s.env()...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// does is ctl for what must succeed.
func (s *swan) does(args ...string) string {
	s.w.t.Helper()
	out, err := s.ctl(args...)
	if err != nil {
		s.w.t.Fatalf("swanctl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// sas is what it says of its SAs.
func (s *swan) sas() string { return s.does("--list-sas") }

// says reports whether its log has a word.
func (s *swan) says(word string) bool { return s.counts(word) > 0 }

// counts is how often it stands there.
func (s *swan) counts(word string) int {
	log, err := os.ReadFile(s.host.Path(s.dir + "/charon.log"))
	s.w.must(err)
	return strings.Count(string(log), word)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// installed is how many of its Child SAs are in use.
func (s *swan) installed() int { return strings.Count(s.sas(), ", INSTALLED,") }

// charon is the daemon. Debian has it there.
const charon = "/usr/sbin/charon-systemd"

// missing says what is not installed.
func missing() string {
	for _, p := range []string{charon, "swanctl"} {
		if _, err := exec.LookPath(p); err != nil {
			return "strongSwan: " + err.Error()
		}
	}
	return ""
}
