//go:build !amd64 || purego

package gcm

import (
	"crypto/cipher"
	"errors"
)

// Usable says that this machine has the instructions. The package knows those of amd64 only.
const Usable = false

// New does not work where it is not Usable.
func New([]byte) (cipher.AEAD, error) {
	return nil, errors.New("gcm: this machine has no VAES; use the standard library's")
}
