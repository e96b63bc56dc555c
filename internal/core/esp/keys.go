package esp

import (
	"crypto/cipher"
	"errors"
	"fmt"
)

// Keys is what two peers have agreed on for a pair.
type Keys struct {
	Suite   Suite
	Local   SPI    // that the peer sends to; from Machine.SPI
	Remote  SPI    // that we send to: the peer's choice
	In, Out []byte // keying material of either direction, Suite.KeySize bytes; no part of it is kept
	ESN     bool
	Window  int // of replay, in packets, at least: up to MostWindow; 0: LeastWindow
	Life    Life
	// Theirs and Ours are the traffic that was agreed on: what the peer sends comes from one of the former and goes to one of the latter.
	// None: everything.
	Theirs, Ours []Selector
	// TakesPartial says that the peer takes packets with partial checksums (offload.Layout), MayBePartial that it may send such.
	TakesPartial, MayBePartial bool
	// Waits says that the peer may not have the pair yet, because it asked and our answer is under way. Replaces is our SPI of the pair that
	// it asked to replace, which it deletes when it has this one; 0: none.
	Waits    bool
	Replaces SPI
}

// Validate reports everything that is wrong.
func (k Keys) Validate() error {
	var errs []error
	if !k.Local.own() {
		errs = append(errs, fmt.Errorf("our SPI %v is none of those that we choose", k.Local))
	}
	if k.Remote < leastSPI {
		errs = append(errs, fmt.Errorf("the peer's SPI %v is reserved", k.Remote))
	}
	for _, material := range [][]byte{k.In, k.Out} {
		if _, _, _, err := k.Suite.cut(material); err != nil {
			errs = append(errs, err)
		}
	}
	if k.Window < 0 || k.Window > MostWindow {
		errs = append(errs, fmt.Errorf("replay window of %d packets: at most %d are possible", k.Window, MostWindow))
	}
	if err := k.Life.check(); err != nil {
		errs = append(errs, err)
	}
	if _, err := newSelectors(k.Theirs, k.Ours); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (k Keys) sealer() (sealer, error) {
	enc, salt, mac, err := k.Suite.cut(k.Out)
	if err != nil {
		return nil, err
	}
	if len(mac) > 0 {
		return newCBC(forms[k.Suite], enc, mac, k.ESN, cipher.NewCBCEncrypter)
	}
	a, err := newAEAD(k.Suite, enc, salt, k.ESN)
	return &sendingAEAD{a}, err
}

func (k Keys) opener() (opener, error) {
	enc, salt, mac, err := k.Suite.cut(k.In)
	if err != nil {
		return nil, err
	}
	if len(mac) > 0 {
		return newCBC(forms[k.Suite], enc, mac, k.ESN, cipher.NewCBCDecrypter)
	}
	a, err := newAEAD(k.Suite, enc, salt, k.ESN)
	return &receivingAEAD{aead: a}, err
}
