package osnet

import (
	"errors"
	"net"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// watch asks the system to call back about interfaces, addresses and routes. The callback is never given back (Go has no way to),
// so watch is for once a membership, not once a change.
func watch() (watcher, error) {
	n := &notices{news: make(chan struct{}, 1), closed: make(chan struct{})}
	callback := windows.NewCallback(func(context, row, kind uintptr) uintptr {
		poke(n.news)
		return 0
	})
	for _, ask := range []func(uint16, uintptr, unsafe.Pointer, bool, *windows.Handle) error{
		windows.NotifyIpInterfaceChange, windows.NotifyUnicastIpAddressChange, windows.NotifyRouteChange2,
	} {
		var h windows.Handle
		if err := ask(windows.AF_UNSPEC, callback, nil, false, &h); err != nil {
			return nil, errors.Join(err, n.close())
		}
		n.handles = append(n.handles, h)
	}
	return n, nil
}

type notices struct {
	news    chan struct{}
	closed  chan struct{}
	once    sync.Once
	handles []windows.Handle
}

func (n *notices) next() error {
	select {
	case <-n.news:
		return nil
	case <-n.closed:
		return net.ErrClosed
	}
}

func (n *notices) close() (err error) {
	n.once.Do(func() {
		for _, h := range n.handles {
			err = errors.Join(err, windows.CancelMibChangeNotify2(h))
		}
		close(n.closed)
	})
	return err
}
