package esp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An independent implementation, given the keys, reads the packets inside, without our padding.
func TestTsharkDecrypts(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
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
		out := dissect(t, tshark, table, sealed(a, 7, inner))
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

// dissect is what tshark says about one datagram between the ports of RFC 3948.
func dissect(t *testing.T, tshark, table string, raw []byte) string {
	t.Helper()
	le, n := binary.LittleEndian, 28+len(raw)
	b := append(le.AppendUint32(nil, 0xa1b2c3d4), 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 101, 0, 0, 0) // 101: raw IP
	for _, v := range []int{0, 0, n, n} {
		b = le.AppendUint32(b, uint32(v))
	}
	b = append(b, 0x45, 0, byte(n>>8), byte(n), 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	b = append(b, 4500>>8, 4500&0xff, 4500>>8, 4500&0xff, byte((n-20)>>8), byte(n-20), 0, 0)
	file := filepath.Join(t.TempDir(), "esp.pcap")
	if err := os.WriteFile(file, append(b, raw...), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tshark, "-r", file, "-V", "-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE", "-o", table)
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark with %s: %v: %s", table, err, faults.String())
	}
	return string(out)
}
