package esp

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/lab/tshark"
)

// An independent implementation, given the keys, reads the packets inside, without our padding.
func TestTsharkDecrypts(t *testing.T) {
	for _, s := range []Suite{AES256GCM, AES256CBC} { // it is slow to start; the vectors have the others
		a, _ := twins(t, s, false)
		ka, _ := keysFor(s, false)
		key, salt, mac, err := s.cut(ka.Out)
		if err != nil {
			t.Fatal(err)
		}
		cipher, proof := "AES-GCM with 16 octet ICV [RFC4106]", "NULL"
		if len(mac) > 0 {
			cipher, proof = "AES-CBC [RFC3602]", "HMAC-SHA-256-128 [RFC4868]"
		}
		table := fmt.Sprintf("uat:esp_sa:\"IPv4\",\"192.0.2.1\",\"192.0.2.2\",\"%v\",%q,\"0x%x%x\",%q,%q,\"32-bit\"", a.remote, cipher, key, salt, proof, hexOrNothing(mac))
		inner := sample4(48)
		out := tshark.Read(t, []tshark.Datagram{{From: 1, To: 2, Port: 4500, Data: sealed(a, 7, inner)}}, "-V",
			"-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE", "-o", table)
		contained := fmt.Sprintf("ESP Contained Data: %x… (48 bytes)", inner[:36])
		if !strings.Contains(out, "ESP Sequence: 7\n") || !strings.Contains(out, contained) || strings.Contains(out, "ncorrect") || strings.Contains(out, "alformed") {
			t.Errorf("%s, %s:\n%s", s, table, out)
		}
	}
}

func hexOrNothing(key []byte) string {
	if len(key) == 0 {
		return ""
	}
	return "0x" + hex.EncodeToString(key)
}
