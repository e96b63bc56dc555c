package stream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"
)

// website serves HTTP on the listener until the test ends.
func website(t *testing.T, l *Listener) {
	site := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 0 {
			t.Error("a browser was asked for a certificate")
		}
		io.WriteString(w, r.Proto)
	})}
	done := make(chan error, 1)
	web := l.Web()
	go func() { done <- site.Serve(web) }()
	t.Cleanup(func() {
		site.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// browser returns a client with a certificate at hand, that trusts as api clients do.
func browser(t *testing.T, protocols ...string) *http.Client {
	conf := theRealm().clientTLS(theRealm().node)
	conf.NextProtos = protocols
	tr := &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: slices.Contains(protocols, "h2")}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestThreeProtocolsShareOnePort(t *testing.T) {
	l := listen(t, ListenConfig{})
	website(t, l)
	run(t, l, echo)
	for _, c := range []struct {
		offered []string
		want    string
	}{{[]string{"h2", "http/1.1"}, "HTTP/2.0"}, {[]string{"http/1.1"}, "HTTP/1.1"}} {
		r, err := browser(t, c.offered...).Get("https://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if string(body) != c.want {
			t.Errorf("%v: %s", c.offered, body)
		}
	}
	each(t, func(t *testing.T, transport Transport) {
		exchange(t, dial(t, DialConfig{Addrs: []string{l.Addr().String()}, Transport: transport}), 1)
	})
}

func TestWithoutAWebsiteNobodyIsKeptWaiting(t *testing.T) {
	at := serve(t, ListenConfig{}, echo)
	if _, err := browser(t, "http/1.1").Get("https://" + at.String()); err == nil {
		t.Error("somebody answers")
	}
}

func TestOnlySoManyVisitorsAtOnce(t *testing.T) {
	l := listen(t, ListenConfig{Limits: Limits{Web: 2}})
	website(t, l)
	run(t, l, echo)
	conf := theRealm().clientTLS(nil)
	conf.NextProtos = []string{"http/1.1"}
	get := func(c *tls.Conn) error {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		c.SetReadDeadline(time.Now().Add(time.Minute))
		_, err := c.Read(make([]byte, 512))
		return err
	}
	var open []*tls.Conn
	for i := range 3 {
		c, err := tls.Dial("tcp", l.Addr().String(), conf)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
		if err := get(c); (err == nil) != (i < 2) {
			t.Error(i, err)
		}
	}
	open[0].Close()
	for range 100 { // until the server has noticed
		c, err := tls.Dial("tcp", l.Addr().String(), conf)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if get(c) == nil {
			return
		}
	}
	t.Error("who has left still counts")
}
