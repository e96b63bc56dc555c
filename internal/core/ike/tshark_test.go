package ike

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
)

// An independent dissector, with our key log, reads a whole meeting and finds nothing wrong in it.
func TestTsharkReadsAMeeting(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	for _, profile := range []string{crypt.Modern, crypt.NativeClients} {
		var keys []string
		w := newWorld(t, 1, func(n int, c *Config, p *Peer) {
			c.Profile, _ = crypt.NewProfile(profile)
			for i := range c.Profile.IKE { // its key table has one line for an SA, so keys must not change on the way
				c.Profile.IKE = c.Profile.Plain()
				if profile == crypt.NativeClients {
					c.Profile.IKE = c.Profile.IKE[len(c.Profile.IKE)-1-i:]
					break
				}
			}
			if n == 0 {
				c.KeyLog = func(line string) { keys = append(keys, "uat:ikev2_decryption_table:"+line) }
			}
		})
		var packets [][]byte
		w.watch = func(from int, data []byte) bool {
			packets = append(packets, udp4(byte(from+1), byte(2-from), data))
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
		args := []string{"-r", capture(t, packets), "-V", "-O", "isakmp"}
		for _, k := range keys {
			args = append(args, "-o", k)
		}
		raw, err := exec.Command(tshark, args...).Output()
		if err != nil {
			t.Fatalf("tshark %v: %v", args, err)
		}
		out := string(raw)
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

func udp4(from, to byte, data []byte) []byte {
	n := 28 + 4 + len(data)
	b := []byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, from, 192, 0, 2, to}
	b = append(b, 4500>>8, 4500&0xff, 4500>>8, 4500&0xff, byte((n-20)>>8), byte(n-20), 0, 0)
	return append(append(b, 0, 0, 0, 0), data...)
}

// capture writes packets where tshark finds them.
func capture(t *testing.T, packets [][]byte) string {
	t.Helper()
	le := binary.LittleEndian
	var b bytes.Buffer
	b.Write(append(le.AppendUint32(nil, 0xa1b2c3d4), 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 101, 0, 0, 0)) // 101: raw IP
	for i, p := range packets {
		for _, v := range []int{i, 0, len(p), len(p)} {
			b.Write(le.AppendUint32(nil, uint32(v)))
		}
		b.Write(p)
	}
	file := filepath.Join(t.TempDir(), "ike.pcap")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
