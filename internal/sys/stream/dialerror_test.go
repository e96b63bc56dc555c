package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"
)

func TestADialErrorSaysEachThingOnce(t *testing.T) {
	const at, px = "vpn.example.com:8443 (203.0.113.2:8443)", "through the proxy 192.0.2.9:3128"
	const proxyHint = "; does the proxy run, and is HTTPS_PROXY right? it is http://[NAME:PASSWORD@]HOST:PORT, or https:// for a proxy that speaks TLS itself; without a proxy: does the controller run, and do firewalls let UDP and TCP to that port through?"
	cut := &quic.TransportError{ErrorCode: quic.InternalError, ErrorMessage: "write udp4 0.0.0.0:5->203.0.113.2:8443: sendmsg: network is unreachable"}
	unreachable := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for want, failures := range map[string][]failure{
		"controller not reached: " + at + ": network is unreachable; is this machine online? it has no way to that address":                                                                     {{QUIC, at, cut}, {TCP, at, unreachable}},
		"controller not reached: tcp " + at + ": connection refused; quic " + at + ": no answer in time; does the controller run there, and do firewalls let UDP and TCP to that port through?": {{TCP, at, refused}, {QUIC, at, context.DeadlineExceeded}},
		"controller not reached: tcp " + at + ": connection refused; does the controller run there, and do firewalls let UDP and TCP to that port through?":                                     {{TCP, at, fmt.Errorf("dial: %w", refused)}},
		"controller not reached: vpn.example.com:8443: no such name; is the name right, and does this machine resolve names?":                                                                   {{"", "vpn.example.com:8443", &net.DNSError{IsNotFound: true}}},
		"controller not reached: tcp " + at + ": " + ErrRefused.Error() + "; quic " + at + ": network is unreachable":                                                                           {{TCP, at, ErrRefused}, {QUIC, at, cut}},
		"controller not reached: tcp " + px + ": it answers \"HTTP/1.1 407 No\"; " + at + ": no answer in time; does the proxy let this machine connect to that port, and are the name and password in HTTPS_PROXY right?": {
			{TCP, px, &ProxyError{"192.0.2.9:3128", declined("HTTP/1.1 407 No")}}, {QUIC, at, context.DeadlineExceeded}, {TCP, at, context.DeadlineExceeded}},
		"controller not reached: tcp " + px + ": no answer in time" + proxyHint:                       {{TCP, px, &ProxyError{"192.0.2.9:3128", context.DeadlineExceeded}}},
		"controller not reached: tcp " + px + ": it does not speak TLS" + proxyHint:                   {{TCP, px, &ProxyError{"192.0.2.9:3128", tls.RecordHeaderError{}}}},
		"controller not reached: proxy proxy.example:3128: no such name" + proxyHint:                  {{"", "proxy proxy.example:3128", &ProxyError{"proxy.example:3128", &net.DNSError{IsNotFound: true}}}},
		"controller not reached: HTTPS_PROXY: it names a proxy of the kind socks5; known" + proxyHint: {{"", "HTTPS_PROXY", &ProxyError{"192.0.2.9:1080", errors.New("it names a proxy of the kind socks5; known")}}},
	} {
		if got := (&DialError{whom: "controller", failures: failures}).Error(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
