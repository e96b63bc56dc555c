package ike

import (
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/lab/tshark"
)

// An independent dissector, with our key log, reads a whole meeting and finds nothing wrong in it.
func TestTsharkReadsAMeeting(t *testing.T) {
	for _, profile := range []string{crypt.Modern, crypt.NativeClients} {
		var keys []string
		w := newWorld(t, 1, func(n int, c *Config, p *Peer) {
			c.Profile, _ = crypt.NewProfile(profile)
			c.Profile.IKE = c.Profile.Plain() // its key table has one line for an SA, so keys must not change on the way
			if profile == crypt.NativeClients {
				c.Profile.IKE = c.Profile.IKE[len(c.Profile.IKE)-1:] // a cipher whose IVs are no counter
			}
			if n == 0 {
				c.KeyLog = func(line string) { keys = append(keys, "uat:ikev2_decryption_table:"+line) }
			}
		})
		var packets []tshark.Datagram
		w.lawless = profile == crypt.NativeClients
		w.watch = func(from int, data []byte) bool {
			marked := append(make([]byte, 4), data...) // RFC 3948's marker that it is not ESP
			packets = append(packets, tshark.Datagram{From: byte(from + 1), To: byte(2 - from), Port: 4500, Data: marked})
			return true
		}
		w.side[0].initiate()
		w.run(time.Second)
		w.side[0].rekeyChild()
		w.run(time.Second)
		w.side[1].rekey()
		w.run(time.Second)
		w.side[1].deleteChild()
		w.run(time.Second)
		args := []string{"-V", "-O", "isakmp"}
		for _, k := range keys {
			args = append(args, "-o", k)
		}
		out := tshark.Read(t, packets, args...)
		if n, want := strings.Count(out, "[correct]"), len(packets)-2; n != want {
			t.Errorf("%s: %d of %d proofs are correct\n%s", profile, n, want, out)
		}
		for _, bad := range []string{"[incorrect", "alformed", "Expert Info (Error", "Expert Info (Warn"} {
			if i := strings.Index(out, bad); i >= 0 {
				t.Errorf("%s: %s: %s", profile, bad, out[max(0, i-600):min(len(out), i+300)])
			}
		}
		for _, good := range []string{"REKEY_SA", "Identification - Initiator", "Traffic Selector - Responder", "MOBIKE_SUPPORTED", "Delete"} {
			if !strings.Contains(out, good) {
				t.Errorf("%s: it does not see %s", profile, good)
			}
		}
	}
}
