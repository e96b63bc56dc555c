package crypt

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// An independent implementation, given the keys, finds our proofs correct and reads what we sealed.
func TestTsharkDecrypts(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	gcm := func(bits uint16) msg.Transform {
		return msg.Transform{Type: msg.Encryption, ID: msg.EncrAESGCM16, KeyBits: bits}
	}
	cbc := func(bits uint16) msg.Transform {
		return msg.Transform{Type: msg.Encryption, ID: msg.EncrAESCBC, KeyBits: bits}
	}
	for _, c := range []struct {
		encr, auth msg.Transform
		names      [2]string
	}{
		{gcm(128), msg.Transform{}, [2]string{"AES-GCM-128 with 16 octet ICV [RFC5282]", "NONE [RFC4306]"}},
		{gcm(256), msg.Transform{}, [2]string{"AES-GCM-256 with 16 octet ICV [RFC5282]", "NONE [RFC4306]"}},
		{cbc(128), msg.Transform{Type: msg.Integrity, ID: msg.IntegSHA256}, [2]string{"AES-CBC-128 [RFC3602]", "HMAC_SHA2_256_128 [RFC4868]"}},
		{cbc(256), msg.Transform{Type: msg.Integrity, ID: msg.IntegSHA384}, [2]string{"AES-CBC-256 [RFC3602]", "HMAC_SHA2_384_192 [RFC4868]"}},
		{cbc(256), msg.Transform{Type: msg.Integrity, ID: msg.IntegSHA512}, [2]string{"AES-CBC-256 [RFC3602]", "HMAC_SHA2_512_256 [RFC4868]"}},
	} {
		suite := newSuite(t, c.encr, c.auth)
		encr, auth := suite.KeySizes()
		sealer, _ := pair(t, suite, 5)
		raw, err := sealer.Seal(nil, head, []msg.Payload{msg.Vendor("a vendor"), msg.Notify{Kind: msg.InitialContact}})
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := fill(encr, 5), fill(encr, 100)
		table := fmt.Sprintf("uat:ikev2_decryption_table:%s,%s,%x,%x,%q,%s,%s,%q",
			head.SPIi, head.SPIr, ours, theirs, c.names[0], field(fill(auth, 6)), field(fill(auth, 101)), c.names[1])
		out := dissect(t, tshark, table, raw)
		if !strings.Contains(out, "[correct]") || strings.Contains(out, "[incorrect") || strings.Contains(out, "alformed") ||
			!strings.Contains(out, "Vendor ID: 612076656e646f72") || !strings.Contains(out, "INITIAL_CONTACT (16384)") {
			t.Errorf("%s and %s:\n%s", c.names[0], c.names[1], out)
		}
	}
}

// field is a key of the table, where none is an empty string.
func field(key []byte) string {
	if len(key) == 0 {
		return `""`
	}
	return fmt.Sprintf("%x", key)
}

// dissect is what tshark says about one IPv4 packet with the message.
func dissect(t *testing.T, tshark, table string, raw []byte) string {
	t.Helper()
	le, n := binary.LittleEndian, 28+len(raw)
	b := append(le.AppendUint32(nil, 0xa1b2c3d4), 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 101, 0, 0, 0) // 101: raw IP
	for _, v := range []int{0, 0, n, n} {
		b = le.AppendUint32(b, uint32(v))
	}
	b = append(b, 0x45, 0, byte(n>>8), byte(n), 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	b = append(b, 500>>8, 500&0xff, 500>>8, 500&0xff, byte((n-20)>>8), byte(n-20), 0, 0)
	file := filepath.Join(t.TempDir(), "ike.pcap")
	if err := os.WriteFile(file, append(b, raw...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-r", file, "-V", "-O", "isakmp", "-o", table).Output()
	if err != nil {
		t.Fatalf("tshark with %s: %v", table, err)
	}
	return string(out)
}
