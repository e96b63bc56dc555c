package tun

import (
	"errors"
	"fmt"
)

// MaxQueues bounds the queues of a Device (Linux: MAX_TAP_QUEUES).
const MaxQueues = 256

// Config says what Open makes. The zero Config is good.
type Config struct {
	Name   string // empty: the first free one of cvlan0, cvlan1 and so on (utunN on macOS)
	MTU    int    // in bytes; 0: DefaultMTU
	Queues int    // 0: one; more on Linux only
	NoUSO  bool   // leave UDP trains off where the system has them
}

// Validate tells all that is wrong with c on this system. A name that is no good is ErrName.
func (c Config) Validate() error {
	var errs []error
	if c.MTU != 0 && (c.MTU < MinMTU || c.MTU > MaxMTU) {
		errs = append(errs, fmt.Errorf("MTU %d is outside %d to %d", c.MTU, MinMTU, MaxMTU))
	}
	if c.Queues < 0 || c.Queues > MaxQueues {
		errs = append(errs, fmt.Errorf("%d queues are outside 1 to %d", c.Queues, MaxQueues))
	}
	if c.Name != "" {
		errs = append(errs, checkName(c.Name))
	}
	return errors.Join(errs...)
}

// Open makes a TUN device that did not exist before, down and without addresses. Missing rights are fs.ErrPermission; ErrUnavailable,
// ErrTaken and ErrName tell the rest apart.
func Open(c Config) (Device, error) {
	i, err := create(c)
	if err != nil {
		return nil, fmt.Errorf("make the TUN device: %w", err)
	}
	return i, nil
}

func create(c Config) (Device, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return start(c.filled())
}

// filled puts in what 0 stands for.
func (c Config) filled() Config {
	if c.MTU == 0 {
		c.MTU = DefaultMTU
	}
	c.Queues = max(c.Queues, 1)
	return c
}
