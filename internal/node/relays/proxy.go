package relays

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/sys/mark"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// proxyFromEnvironment reads HTTPS_PROXY and NO_PROXY.
func proxyFromEnvironment(u *url.URL) (*url.URL, error) {
	return http.ProxyFromEnvironment(&http.Request{URL: u})
}

// through is a proxy, and whom it is to connect us to.
type through struct {
	proxy *url.URL
	to    string // host:port
}

// proxy is the proxy for the first address for which there is one; nil: none is set.
func (f *Ferry) proxy(addrs []string) *through {
	if f.cfg.Transport == stream.QUIC {
		return nil
	}
	for _, a := range addrs {
		if p, err := f.cfg.Proxy(&url.URL{Scheme: "https", Host: a}); err == nil && p != nil && (p.Scheme == "http" || p.Scheme == "https") {
			return &through{p, a}
		}
	}
	return nil
}

// at is where the proxy listens, host:port.
func (p *through) at() string {
	port := "80"
	if p.proxy.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(p.proxy.Hostname(), cmp.Or(p.proxy.Port(), port))
}

// indirect connects through a proxy.
func (f *Ferry) indirect(ctx context.Context, r ident.Relay, t target, p *through) (*stream.Conn, error) {
	conf := f.tls(r)
	conf.ServerName, _, _ = net.SplitHostPort(p.to)
	dial := f.cfg.DialTCP
	if dial == nil {
		dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			d := net.Dialer{Control: mark.Control}
			return d.DialContext(ctx, "tcp", to.String())
		}
	}
	return stream.DialConn(ctx, stream.DialConfig{
		Whom: "relay through the proxy", Addrs: []string{p.at()}, TLS: conf, Transport: stream.TCP, Lookup: f.cfg.Lookup,
		DialTCP: func(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
			c, err := dial(ctx, at)
			if err != nil {
				return nil, err
			}
			tunnel, err := p.connect(ctx, c)
			if err != nil {
				c.Close()
				return nil, err
			}
			return tunnel, nil
		},
	})
}

// answerBytes bounds a proxy's answer.
const answerBytes = 8 << 10

// connect asks the proxy for a connection (RFC 9110, section 9.3.6).
func (p *through) connect(ctx context.Context, c net.Conn) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if p.proxy.Scheme == "https" {
		t := tls.Client(c, &tls.Config{ServerName: p.proxy.Hostname(), MinVersion: tls.VersionTLS12})
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		c = t
	}
	request := "CONNECT " + p.to + " HTTP/1.1\r\nHost: " + p.to + "\r\n"
	if u := p.proxy.User; u != nil {
		password, _ := u.Password()
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(c, request+"\r\n"); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if err := readAnswer(c); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return c, nil
}

// readAnswer reads the head of an answer byte by byte: what follows belongs to the connection.
func readAnswer(c io.Reader) error {
	head := make([]byte, 0, 512)
	for !strings.HasSuffix(string(head[max(0, len(head)-4):]), "\r\n\r\n") {
		if len(head) == answerBytes {
			return errors.New("its answer is too long")
		}
		var b [1]byte
		if _, err := io.ReadFull(c, b[:]); err != nil {
			return err
		}
		head = append(head, b[0])
	}
	line, err := textproto.NewReader(bufio.NewReader(strings.NewReader(string(head)))).ReadLine()
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	if n, err := strconv.Atoi(code); err != nil || !strings.HasPrefix(line, "HTTP/1.") || n/100 != 2 {
		return fmt.Errorf("it answers %q", clean.Line(line, 100))
	}
	return nil
}
