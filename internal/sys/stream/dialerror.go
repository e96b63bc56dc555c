package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// failure is one thing that was tried in vain.
type failure struct {
	transport Transport // "": the name could not be resolved
	addr      string
	err       error
}

// DialError says what Dial tried and why each attempt failed. errors.Is and errors.As look into all of them.
type DialError struct {
	whom     string
	failures []failure
	ended    error // why the caller's context ended, if it did
}

// Error implements error, in one line: why, then what to do.
func (e *DialError) Error() string {
	if h := e.Hint(); h != "" {
		return e.Why() + "; " + h
	}
	return e.Why()
}

// Why says what was tried in vain: attempts with the same reason together, and of a place by which transport, unless it was either.
func (e *DialError) Why() string {
	var reasons []string
	who := make(map[string][]failure)
	for _, f := range e.failures {
		r := clean.Line(reason(f.err), 400) // some of it may be the other side's words
		if who[r] == nil {
			reasons = append(reasons, r)
		}
		who[r] = append(who[r], f)
	}
	var parts []string
	for _, r := range reasons {
		parts = append(parts, where(who[r])+": "+r)
	}
	if e.ended != nil {
		parts = append(parts, "gave up: "+reason(e.ended))
	}
	return e.whom + " not reached: " + strings.Join(parts, "; ")
}

// where lists where attempts went, each place once.
func where(fs []failure) string {
	var all []string
	for i, f := range fs {
		either := func(o failure) bool { return o.addr == f.addr && o.transport != f.transport }
		switch {
		case !slices.ContainsFunc(fs, either):
			all = append(all, strings.TrimSpace(string(f.transport)+" "+f.addr))
		case !slices.ContainsFunc(fs[:i], either):
			all = append(all, f.addr)
		}
	}
	return strings.Join(all, ", ")
}

// Unwrap lets errors.Is find the cause of each attempt.
func (e *DialError) Unwrap() []error {
	var all []error
	for _, f := range e.failures {
		all = append(all, f.err)
	}
	if e.ended != nil {
		all = append(all, e.ended)
	}
	return all
}

// Hint says what to do about it; "" where the reason itself says that.
func (e *DialError) Hint() string {
	names, tried, away, proxied, refused := 0, 0, 0, 0, 0
	for _, f := range e.failures {
		_, proxy := errors.AsType[*ProxyError](f.err)
		_, no := errors.AsType[declined](f.err)
		switch {
		case answered(f.err):
			return ""
		case no:
			refused++
		case proxy:
			proxied++
		case f.transport == "":
			names++
		case offline(reason(f.err)):
			away++
		default:
			tried++
		}
	}
	switch {
	case refused > 0:
		return "does the proxy let this machine connect to that port, and are the name and password in HTTPS_PROXY right?"
	case proxied > 0:
		return "does the proxy run, and is HTTPS_PROXY right? it is http://[NAME:PASSWORD@]HOST:PORT, or https:// for a proxy that speaks TLS itself; without a proxy: does the " + e.whom + " run, and do firewalls let UDP and TCP to that port through?"
	case tried > 0:
		return "does the " + e.whom + " run there, and do firewalls let UDP and TCP to that port through?"
	case away > 0:
		return "is this machine online? it has no way to that address"
	case names > 0:
		return "is the name right, and does this machine resolve names?"
	}
	return ""
}

// offline reports whether the system itself knows no way there.
func offline(reason string) bool {
	return reason == syscall.ENETUNREACH.Error() || reason == syscall.EHOSTUNREACH.Error() || reason == syscall.ENETDOWN.Error()
}

// answered reports whether somebody was there who was not the right one, or did not want us.
func answered(err error) bool {
	for _, e := range []error{trust.ErrPin, trust.ErrRole, trust.ErrExpired, ErrRefused} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// reason says why in the fewest words that tell one cause from another.
func reason(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	var over *quic.TransportError
	var app *quic.ApplicationError
	var slow net.Error
	switch {
	case errors.Is(err, ErrRefused):
		return ErrRefused.Error()
	case errors.As(err, &app) && app.Remote && app.ErrorCode == busy, errors.As(err, &over) && over.ErrorCode == quic.ConnectionRefused:
		return "the controller has too much to do now; try again"
	case errors.As(err, new(tls.RecordHeaderError)):
		return "it does not speak TLS"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such name"
	case errors.As(err, &dns):
		return "name not resolved: " + dns.Err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return "no answer in time"
	case errors.As(err, &over) && over.ErrorCode == quic.InternalError && !over.Remote && over.ErrorMessage != "":
		words := strings.Split(over.ErrorMessage, ": ") // quic-go keeps no more of what the system said
		return words[len(words)-1]
	case errors.As(err, &over):
		for _, cause := range over.Unwrap() {
			if cause != nil && cause != net.ErrClosed {
				return cause.Error()
			}
		}
	}
	return err.Error()
}
