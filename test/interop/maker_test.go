//go:build interop && linux

package interop

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/lab"
)

// The kinds of sides.
const (
	kernel kind = "kernel"
	stock  kind = "wireguard-go"
	cvlan  kind = "cvlan"
)

type kind string

// maker makes a WireGuard interface, and takes it away with all that it knows.
type maker interface {
	make(context.Context, *lab.Host) error
	unmake(*lab.Host) error
}

func newMaker(of kind) (maker, error) {
	switch of {
	case kernel:
		return ofKernel{}, nil
	case stock:
		return &ofProgram{command: []string{filepath.Join(*bin, "tools/wireguard-go"), "-f", link}}, nil
	case cvlan:
		return &ofProgram{command: []string{filepath.Join(*bin, "tools/interop-ours"), link}}, nil
	}
	return nil, fmt.Errorf("no side is of kind %q; use kernel, wireguard-go or cvlan", of)
}

type ofKernel struct{}

func (ofKernel) make(_ context.Context, h *lab.Host) error {
	return h.Do(func() error { return netlink.LinkAdd(&netlink.Wireguard{LinkAttrs: netlink.LinkAttrs{Name: link}}) })
}

func (ofKernel) unmake(h *lab.Host) error {
	return h.Do(func() error {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	})
}

// ofProgram is a program that makes a TUN device and speaks the cross-platform configuration protocol on a Unix socket, where the wg
// tool finds it.
type ofProgram struct {
	command []string
	runs    *lab.Proc
}

// starts is how long a program may take to start. Where time travels, its seconds are short while a program is read from the machine's disk.
const starts = 6 * soon

func (p *ofProgram) make(ctx context.Context, h *lab.Host) error {
	c := h.Command(context.Background(), p.command[0], p.command[1:]...)
	c.Env = append(c.Environ(), "LOG_LEVEL=verbose")
	p.runs = h.StartCmd(c)
	ctx, cancel := context.WithTimeout(ctx, starts)
	defer cancel()
	for {
		if _, err := h.Run(ctx, "wg", "show", link, "listen-port"); err == nil {
			return nil
		}
		select {
		case <-p.runs.Done():
			return fmt.Errorf("the program has ended (%v): %s", p.runs.Wait(ctx), strings.ReplaceAll(p.runs.Log(), "\n", " | "))
		case <-ctx.Done():
			return fmt.Errorf("the program does not answer on its socket: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *ofProgram) unmake(*lab.Host) error {
	p.runs.Kill()
	return nil
}
