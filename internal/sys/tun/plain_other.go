//go:build !linux

package tun

import (
	"errors"

	"golang.zx2c4.com/wireguard/tun"
)

func start(c Config) (Device, error) {
	if c.Queues > 1 {
		return nil, errors.New("only Linux has TUN devices with several queues; ask for one")
	}
	d, err := open(c.Name, c.MTU)
	if err != nil {
		return nil, err
	}
	name, err := d.Name()
	if err != nil {
		d.Close()
		return nil, err
	}
	return newPlain(name, c.MTU, attend(d)), nil
}

// attended is a device whose events nobody needs: they are taken away, because the library blocks when they pile up.
type attended struct {
	tun.Device
	done chan struct{}
}

func attend(d tun.Device) attended {
	a := attended{d, make(chan struct{})}
	go func() {
		defer close(a.done)
		for range d.Events() {
		}
	}()
	return a
}

// Close closes the device, and with it the library closes its events.
func (a attended) Close() error {
	err := a.Device.Close()
	<-a.done
	return err
}
