package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net"
	"net/http"
	"time"

	"github.com/cvlan/cvlan/internal/base/sse"
)

// maxAnswer bounds what a client reads of an answer: 200,000 peers fit.
const maxAnswer = sse.MaxEvent

// ErrNoDaemon is what every call wraps when nobody answers at the socket, ErrLate when the caller's deadline comes before the answer.
var (
	ErrNoDaemon = errors.New("the daemon cvland does not answer")
	ErrLate     = errors.New("the daemon cvland has not answered in time")
)

// Client calls a daemon. It is safe for concurrent use; the zero Client is not usable.
type Client struct {
	// Asked, if it is there, is called before each request; what it returns, when the answer has come or the request is given up. A watch's answer
	// is its beginning.
	Asked func() (done func())

	path string
	http *http.Client
}

// NewClient returns a client of the daemon at a socket's path (on Windows, a named pipe's). It connects on first use.
func NewClient(path string) *Client {
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) },
		MaxIdleConns:           1,
		IdleConnTimeout:        10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status returns the whole state.
func (c *Client) Status(ctx context.Context) (Status, error) { return call(ctx, c, GetStatus, None{}) }

// Version says which build the daemon is.
func (c *Client) Version(ctx context.Context) (About, error) { return call(ctx, c, GetVersion, None{}) }

// Path returns every way to a peer.
func (c *Client) Path(ctx context.Context, r PathRequest) (PeerPath, error) {
	return call(ctx, c, PostPath, r)
}

// PolicyLog returns what the filters have dropped lately.
func (c *Client) PolicyLog(ctx context.Context, r PolicyLogRequest) (PolicyLog, error) {
	return call(ctx, c, PostPolicyLog, r)
}

// IPsec returns the security associations, and what is offered.
func (c *Client) IPsec(ctx context.Context) (IPsec, error) { return call(ctx, c, GetIPsec, None{}) }

// RekeyIPsec replaces security associations.
func (c *Client) RekeyIPsec(ctx context.Context, r IPsecRequest) (IPsecDone, error) {
	return call(ctx, c, PostIPsecRekey, r)
}

// TerminateIPsec ends security associations.
func (c *Client) TerminateIPsec(ctx context.Context, r IPsecRequest) (IPsecDone, error) {
	return call(ctx, c, PostIPsecTerminate, r)
}

// IPsecLog returns what IKE did lately.
func (c *Client) IPsecLog(ctx context.Context, r IPsecLogRequest) (IPsecLog, error) {
	return call(ctx, c, PostIPsecLog, r)
}

// NetCheck has the machine's network checked, which takes up to three seconds.
func (c *Client) NetCheck(ctx context.Context) (NetCheck, error) {
	return call(ctx, c, GetNetCheck, None{})
}

// WireGuard returns the tunnels as they are now.
func (c *Client) WireGuard(ctx context.Context) (WireGuard, error) {
	return call(ctx, c, GetWireGuard, None{})
}

// Ping sends one echo to a peer and waits for the answer.
func (c *Client) Ping(ctx context.Context, r PingRequest) (Pong, error) {
	return call(ctx, c, PostPing, r)
}

// Settings returns everything that can be set.
func (c *Client) Settings(ctx context.Context) (Settings, error) {
	return call(ctx, c, GetSettings, None{})
}

// Set changes settings, and returns those concerned as they are then.
func (c *Client) Set(ctx context.Context, r SetRequest) (Settings, error) {
	return call(ctx, c, PatchSettings, r)
}

// Up joins a network or brings memberships up. It returns when that is accepted; WatchStatus tells how it goes on.
func (c *Client) Up(ctx context.Context, r UpRequest) (Networks, error) {
	return call(ctx, c, PostUp, r)
}

// Down switches memberships off.
func (c *Client) Down(ctx context.Context, r DownRequest) (Networks, error) {
	return call(ctx, c, PostDown, r)
}

// Logout leaves a network for good.
func (c *Client) Logout(ctx context.Context, r LogoutRequest) (LoggedOut, error) {
	return call(ctx, c, PostLogout, r)
}

// Watch yields the state of now and then every change. It ends with an error, or without one when the caller stops.
func (c *Client) Watch(ctx context.Context) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		done := c.asked()
		body, err := open(ctx, c, WatchStatus.Route, nil)
		done()
		if err != nil {
			yield(Status{}, err)
			return
		}
		defer body.Close()
		for events := sse.NewReader(body); ; {
			e, err := events.Next()
			var s Status
			if err == nil && e.Name == EventStatus {
				if err = readable(e.Data); err == nil {
					err = json.Unmarshal(e.Data, &s)
				}
			}
			switch {
			case err != nil:
				yield(s, watchEnd(ctx, err))
				return
			case e.Name == EventStatus && !yield(s, nil):
				return
			}
		}
	}
}

func watchEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("watch the status: %w any more; it has ended the connection", ErrNoDaemon)
	}
	return fmt.Errorf("watch the status: %w", err)
}

// call does one operation. Its errors are *Error when the daemon answered, and wrap ErrNoDaemon when it did not.
func call[In, Out any](ctx context.Context, c *Client, op Op[In, Out], in In) (Out, error) {
	var out Out
	var body []byte
	if _, none := any(in).(None); !none {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return out, fmt.Errorf("%s: encode the request: %w", op.Path, err)
		}
	}
	defer c.asked()()
	r, err := open(ctx, c, op.Route, body)
	if err != nil {
		return out, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxAnswer))
	if ctx.Err() != nil {
		return out, ended(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("%s: read the daemon's answer: %w", op.Path, err)
	}
	if err := readable(b); err != nil {
		return out, err
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, fmt.Errorf("%s: decode the daemon's answer: %w", op.Path, err)
	}
	return out, nil
}

// readable refuses an answer in which the words may mean something that this build does not know. The schema comes first in every answer.
func readable(b []byte) error {
	rest, ok := bytes.CutPrefix(b, []byte(`{"schema":`))
	if !ok {
		return nil
	}
	schema := 0
	for _, c := range rest {
		if c < '0' || c > '9' || schema > 1<<20 {
			break
		}
		schema = schema*10 + int(c-'0')
	}
	if schema > Schema {
		return CodeSkew.Problem("understand the daemon", fmt.Sprintf("it speaks schema %d, this program knows %d", schema, Schema), "upgrade this program; compare cvlan version")
	}
	return nil
}

// open sends a request and returns the body of an answer with status 200.
func open(ctx context.Context, c *Client, r Route, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, "http://cvland"+r.Path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	return nil, readError(resp)
}

func (c *Client) asked() (done func()) {
	if c.Asked == nil {
		return func() {}
	}
	return c.Asked()
}

// ended says that the caller has waited long enough.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrLate, ctx.Err())
	}
	return ctx.Err()
}

// unreachable says why nothing came back: the caller's own deadline, or the socket.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("%w at %s: %w", ErrNoDaemon, c.path, err)
}

func readError(resp *http.Response) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	e := &Error{}
	if kind == ProblemType && json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(e) == nil && e.Title != "" {
		return e
	}
	return CodeInternal.Problem("talk to the daemon", "it answered "+resp.Status+" and no more", "is another program listening at the socket, or a daemon of another version?")
}
