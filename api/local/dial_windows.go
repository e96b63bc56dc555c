package local

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// DefaultSocket is where the daemon listens unless told otherwise: a named pipe.
const DefaultSocket = `\\.\pipe\cvlan\cvland`

// dial opens a named pipe for overlapped I/O, so that deadlines and Close end a read under way. The server may learn who calls but
// not act in the caller's name (SECURITY_IDENTIFICATION): whoever grabs the pipe's name first gains nothing by it.
func dial(ctx context.Context, path string) (net.Conn, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const flags = windows.FILE_FLAG_OVERLAPPED | windows.SECURITY_SQOS_PRESENT | windows.SECURITY_IDENTIFICATION
	for {
		h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING, flags, 0)
		if err == nil {
			return &pipe{os.NewFile(uintptr(h), path), addr(path)}, nil
		}
		if !errors.Is(err, windows.ERROR_PIPE_BUSY) {
			return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: addr(path), Err: err}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// pipe is a connection over a named pipe.
type pipe struct {
	*os.File
	at addr
}

func (p *pipe) LocalAddr() net.Addr  { return p.at }
func (p *pipe) RemoteAddr() net.Addr { return p.at }

type addr string

func (addr) Network() string  { return "pipe" }
func (a addr) String() string { return string(a) }
