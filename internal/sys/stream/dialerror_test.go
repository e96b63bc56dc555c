package stream

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"
)

func TestADialErrorSaysEachThingOnce(t *testing.T) {
	const at = "vpn.example.com:8443 (203.0.113.2:8443)"
	cut := &quic.TransportError{ErrorCode: quic.InternalError, ErrorMessage: "write udp4 0.0.0.0:5->203.0.113.2:8443: sendmsg: network is unreachable"}
	unreachable := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for want, failures := range map[string][]failure{
		"controller not reached: " + at + ": network is unreachable; is this machine online? it has no way to that address":                                                                     {{QUIC, at, cut}, {TCP, at, unreachable}},
		"controller not reached: tcp " + at + ": connection refused; quic " + at + ": no answer in time; does the controller run there, and do firewalls let UDP and TCP to that port through?": {{TCP, at, refused}, {QUIC, at, context.DeadlineExceeded}},
		"controller not reached: tcp " + at + ": connection refused; does the controller run there, and do firewalls let UDP and TCP to that port through?":                                     {{TCP, at, fmt.Errorf("dial: %w", refused)}},
		"controller not reached: vpn.example.com:8443: no such name; is the name right, and does this machine resolve names?":                                                                   {{"", "vpn.example.com:8443", &net.DNSError{IsNotFound: true}}},
		"controller not reached: tcp " + at + ": " + ErrRefused.Error() + "; quic " + at + ": network is unreachable":                                                                           {{TCP, at, ErrRefused}, {QUIC, at, cut}},
	} {
		if got := (&DialError{whom: "controller", failures: failures}).Error(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
