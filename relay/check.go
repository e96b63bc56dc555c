package relay

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cvlan/cvlan/internal/sys/disk"
)

// SocketName is the socket for stats and drain in a relay's folder.
const SocketName = socketFile

// Joined reports whether the relay of a folder needs no key any more.
func Joined(data string) bool {
	f := &folder{path: data}
	return f.loadMember() == nil && !f.member.Relay.IsZero()
}

// Check looks at a relay's folder, and says what is in it. It changes nothing; the relay may be running.
func Check(cfg Config) (string, error) {
	if err := disk.Examine(cfg.Data); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the relay's folder: %w", err)
	}
	f := &folder{path: cfg.Data}
	if err := f.loadMember(); err != nil {
		return "", err
	}
	if f.member.Relay.IsZero() && cfg.Key != nil {
		return "settings: fine\nrelay: has not joined yet; the first start will, with this key", nil
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
