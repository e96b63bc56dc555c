package relay

import (
	"crypto/x509"
	"fmt"
	"time"
)

// SocketName is the socket for stats and drain in a relay's folder.
const SocketName = socketFile

// Check looks at a relay's folder, and says what is in it. It changes nothing; the relay may be running.
func Check(cfg Config) (string, error) {
	f := &folder{path: cfg.Data}
	if err := f.loadMember(); err != nil {
		return "", err
	}
	if f.member.Relay.IsZero() {
		return "settings: fine\nrelay: has not joined yet; the first start needs --key-file", nil
	}
	leaf, err := x509.ParseCertificate(f.member.Leaf)
	if err != nil {
		return "", fmt.Errorf("the relay's certificate: %w", err)
	}
	return fmt.Sprintf("settings: fine\nrelay: %s, certificate until %s", f.member.Relay, leaf.NotAfter.UTC().Format(time.DateOnly)), nil
}
