package crypt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/lab/tshark"
)

// An independent implementation, given the keys, finds our proofs correct and reads what we sealed.
func TestTsharkDecrypts(t *testing.T) {
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
		raw, err := seal(sealer, head, msg.Vendor("a vendor"), msg.Notify{Kind: msg.InitialContact})
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := fill(encr, 5), fill(encr, 100)
		table := fmt.Sprintf("uat:ikev2_decryption_table:%s,%s,%x,%x,%q,%s,%s,%q",
			head.SPIi, head.SPIr, ours, theirs, c.names[0], field(fill(auth, 6)), field(fill(auth, 101)), c.names[1])
		out := tshark.Read(t, []tshark.Datagram{{From: 1, To: 2, Port: 500, Data: raw}}, "-V", "-O", "isakmp", "-o", table)
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
