package stream

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
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
)

// ProxyFromEnvironment is a DialConfig.Proxy: it reads HTTPS_PROXY and NO_PROXY.
func ProxyFromEnvironment(u *url.URL) (*url.URL, error) {
	return http.ProxyFromEnvironment(&http.Request{URL: u})
}

// ProxyError is why a proxy did not connect us. It never holds the proxy's password.
type ProxyError struct {
	Proxy string // host:port
	Err   error
}

// Error implements error.
func (e *ProxyError) Error() string { return e.Err.Error() }

// Unwrap implements errors.
func (e *ProxyError) Unwrap() error { return e.Err }

// proxy is an HTTP proxy for one of the addresses.
type proxy struct{ *url.URL }

// proxy finds the proxy for an address, host:port; nil if there is none, or only QUIC is wanted. An error says why one that is named is none for us.
func (cfg *DialConfig) proxy(addr string) (*proxy, error) {
	if cfg.Proxy == nil || cfg.Transport == QUIC {
		return nil, nil
	}
	u, err := cfg.Proxy(&url.URL{Scheme: "https", Host: addr})
	switch {
	case err != nil: // which may name the password
		return nil, &ProxyError{"", errors.New("what it names is not the address of a proxy")}
	case u == nil:
		return nil, nil
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, &ProxyError{u.Host, fmt.Errorf("it names a proxy of the kind %.20s; http and https are known", u.Scheme)}
	}
	return &proxy{u}, nil
}

// declined is a proxy's answer that is no yes.
type declined string

// Error implements error.
func (d declined) Error() string { return fmt.Sprintf("it answers %q", string(d)) }

// at is where the proxy listens, host:port.
func (p *proxy) at() string {
	port := "80"
	if p.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(p.Hostname(), cmp.Or(p.Port(), port))
}

// Detour makes a connection to the first of cfg's addresses to which a proxy leads, and says which proxy: "" if there is none. It carries what the other end
// speaks, TLS for one; nobody is known by it. Of cfg only Addrs, Proxy, Transport and the outside world count.
func Detour(ctx context.Context, cfg DialConfig) (c net.Conn, by string, err error) {
	cfg.fill()
	for _, wanted := range cfg.lookups() {
		if wanted.via == nil {
			continue
		}
		by = cmp.Or(by, wanted.via.at())
		targets, failed := cfg.lookup(ctx, wanted)
		for _, t := range targets {
			if c, failed = cfg.through(ctx, try{TCP, t}); failed == nil {
				return c, t.via.at(), nil
			}
		}
		err = cmp.Or(err, failed)
	}
	return nil, by, err
}

// through connects to the address of a try by way of its proxy.
func (cfg *DialConfig) through(ctx context.Context, t try) (net.Conn, error) {
	c, err := cfg.DialTCP(ctx, t.to)
	if err != nil {
		return nil, &ProxyError{t.via.at(), err}
	}
	tuneClient(c)
	tunnel, err := t.via.connect(ctx, c, t.name)
	if err != nil {
		c.Close()
		return nil, &ProxyError{t.via.at(), err}
	}
	return tunnel, nil
}

// answerBytes bounds a proxy's answer.
const answerBytes = 8 << 10

// connect asks the proxy for a connection to an address, host:port (RFC 9110, section 9.3.6).
func (p *proxy) connect(ctx context.Context, c net.Conn, to string) (net.Conn, error) {
	line := c // which TLS to the proxy lies on
	stop := context.AfterFunc(ctx, func() { line.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if p.Scheme == "https" {
		t := tls.Client(c, &tls.Config{ServerName: p.Hostname(), MinVersion: tls.VersionTLS12})
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		c = t
	}
	request := "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\n"
	if u := p.User; u != nil {
		password, _ := u.Password()
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(c, request+"\r\n"); err != nil {
		return nil, err
	}
	if err := readAnswer(c); err != nil {
		return nil, err
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
		return declined(clean.Line(line, 100))
	}
	return nil
}
