package crypt

import (
	"fmt"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// LogLine is a line of Wireshark's ikev2_decryption_table, with which it reads the messages of an IKE SA. Whoever has it can too:
// it is for tests, and for users who ask for it by name. Algorithms that Wireshark does not know make an empty line.
func (k Keys) LogLine(spiI, spiR msg.SPI, encryption, integrity msg.Transform) string {
	encr, auth := wiresharkCipher(encryption), wiresharkMAC(integrity)
	if encr == "" || auth == "" {
		return ""
	}
	return fmt.Sprintf("%s,%s,%x,%x,%q,%s,%s,%q", spiI, spiR, k.EncrI, k.EncrR, encr, logKey(k.AuthI), logKey(k.AuthR), auth)
}

// logKey is a key of the table, where none is an empty string.
func logKey(key []byte) string {
	if len(key) == 0 {
		return `""`
	}
	return fmt.Sprintf("%x", key)
}

func wiresharkCipher(t msg.Transform) string {
	switch t.ID {
	case msg.EncrAESGCM16:
		return fmt.Sprintf("AES-GCM-%d with 16 octet ICV [RFC5282]", t.KeyBits)
	case msg.EncrAESCBC:
		return fmt.Sprintf("AES-CBC-%d [RFC3602]", t.KeyBits)
	}
	return ""
}

func wiresharkMAC(t msg.Transform) string {
	switch t.ID {
	case msg.IntegNone:
		return "NONE [RFC4306]"
	case msg.IntegSHA1:
		return "HMAC_SHA1_96 [RFC2404]"
	case msg.IntegSHA256:
		return "HMAC_SHA2_256_128 [RFC4868]"
	case msg.IntegSHA384:
		return "HMAC_SHA2_384_192 [RFC4868]"
	case msg.IntegSHA512:
		return "HMAC_SHA2_512_256 [RFC4868]"
	}
	return ""
}
