package admin

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipe is a listener of one connection, which is made already.
type pipe struct{ conns chan net.Conn }

func (p pipe) Accept() (net.Conn, error) {
	if c, ok := <-p.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipe) Close() error   { return nil }
func (p pipe) Addr() net.Addr { return &net.TCPAddr{} }

// A long document over a slow line takes its time, and is not refused for that.
func TestABodyMayTakeAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, mux := build(Config{Now: time.Now})
		ours, theirs := net.Pipe()
		l := pipe{make(chan net.Conn, 1)}
		l.conns <- theirs
		server := &http.Server{Handler: mux}
		done := make(chan error)
		go func() { done <- server.Serve(l) }()
		const most = 50 // seconds, in each of which a little comes
		body := `{"text":"` + strings.Repeat(" ", most) + `"}`
		fmt.Fprintf(ours, "PUT /api/v1/tenants/default/networks/office/policy HTTP/1.1\r\nHost: c\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
		go func() {
			for len(body) > 0 {
				time.Sleep(time.Second)
				n := min(len(body), 2)
				if _, err := ours.Write([]byte(body[:n])); err != nil {
					return // the answer says why
				}
				body = body[n:]
			}
		}()
		answer, err := http.ReadResponse(bufio.NewReader(ours), nil)
		if err != nil || answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%+v, %v; want to be asked for a key", answer, err)
		}
		ours.Close()
		close(l.conns)
		<-done
	})
}
