package tun

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"golang.org/x/sys/windows"
	"golang.zx2c4.com/wireguard/tun"
)

// Bounds of what is tried.
const (
	maxName   = 127 // characters of an adapter's name
	maxNumber = 255 // of cvlanN
)

func checkName(name string) error {
	if len(name) > maxName || strings.ContainsAny(name, `\/:*?"<>|`) {
		return fmt.Errorf("%w: %.40q; use at most %d letters, digits and hyphens", ErrName, name, maxName)
	}
	return nil
}

func open(name string, mtu int) (tun.Device, error) {
	if name == "" {
		var err error
		if name, err = free(); err != nil {
			return nil, err
		}
	} else if _, err := net.InterfaceByName(name); err == nil {
		return nil, fmt.Errorf("%w: %s; remove that adapter or choose another name", ErrTaken, name)
	}
	d, err := tun.CreateTUN(name, mtu)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; run as an administrator", fs.ErrPermission)
	case errors.Is(err, windows.ERROR_MOD_NOT_FOUND):
		return nil, fmt.Errorf("%w: wintun.dll is missing; put it beside the program", ErrUnavailable)
	}
	return d, err
}

// free returns the first of cvlan0, cvlan1 and so on that no adapter has.
func free() (string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	taken := make(map[string]bool, len(all))
	for _, i := range all {
		taken[strings.ToLower(i.Name)] = true
	}
	for n := range maxNumber + 1 {
		if name := fmt.Sprintf("cvlan%d", n); !taken[name] {
			return name, nil
		}
	}
	return "", fmt.Errorf("%w: cvlan0 to cvlan%d are; remove some", ErrTaken, maxNumber)
}
