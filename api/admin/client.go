package admin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net"
	"net/http"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// maxAnswer bounds what a client reads of an answer, in bytes: the longest policy in JSON is half of that, a page of 1,000 nodes below 1 MiB.
const maxAnswer = 32 << 20

// ErrUnreachable is what a call wraps when no address of the controller answered. When somebody answered who is not the controller
// that the key was made for, or whose certificate has expired, the call wraps trust.ErrPin, trust.ErrRole or trust.ErrExpired.
var ErrUnreachable = errors.New("the controller does not answer")

// ErrLate is what a call wraps when the caller's deadline comes before the answer.
var ErrLate = errors.New("the controller has not answered in time")

// patience is how long an address may take to accept a connection, and then to greet. Operations have no limit but the caller's.
const patience = 5 * time.Second

// Client calls a controller with one API key. It is safe for concurrent use.
type Client struct {
	// Asked, if it is there, is called before each request; what it returns, when the answer has come or the request is given up.
	Asked func() (done func())

	addrs []string
	token string
	http  *http.Client
}

// NewClient returns a client from an admin key. It knows the controller by the pin in the key, whatever the address is called.
func NewClient(t ticket.Ticket) *Client {
	return &Client{
		addrs: t.Addrs,
		token: Token{ID: ident.APIKey(t.ID), Secret: t.Secret}.Encode(),
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: patience}).DialContext,
				TLSClientConfig:        pinned(t.Pin),
				TLSHandshakeTimeout:    patience,
				MaxResponseHeaderBytes: 64 << 10,
				ForceAttemptHTTP2:      true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// pinned is a configuration that accepts the controller under the pinned root and nobody else. Names are not looked at (see package
// trust), therefore the standard verification is off and VerifyConnection does all of it.
func pinned(pin [32]byte) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			_, err := trust.VerifyController(s.PeerCertificates, pin, trust.Clock{}.Now())
			return err
		},
	}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Addrs returns where the client looks for its controller.
func (c *Client) Addrs() []string { return c.addrs }

// Call does an operation. Its error is a *Problem if the controller answered one, and wraps ErrUnreachable if nobody answered.
func Call[In, Out any](ctx context.Context, c *Client, op Op[In, Out], in In) (Out, error) {
	var out Out
	q, err := encode(op.Route, in)
	if err != nil {
		return out, err
	}
	if c.Asked != nil {
		defer c.Asked()()
	}
	resp, err := c.send(ctx, op.Method, q)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case ctx.Err() != nil:
		return out, ended(ctx)
	case err != nil:
		return out, fmt.Errorf("%w any more: %w", ErrUnreachable, err)
	case len(body) > maxAnswer:
		return out, fmt.Errorf("%s: the answer is longer than %d bytes", op.ID, maxAnswer)
	case resp.StatusCode/100 != 2:
		return out, problem(op.Route, resp, body)
	}
	if err := decode(&out, resp.Header, body); err != nil {
		return out, fmt.Errorf("%s: %w", op.ID, err)
	}
	return out, nil
}

// All yields every item of a list, fetching page after page: page does the operation for one cursor.
func All[T any](page func(cursor string) (List[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			l, err := page(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range l.Items {
				if !yield(item, nil) {
					return
				}
			}
			if l.Next == "" || l.Next == cursor {
				return
			}
			cursor = l.Next
		}
	}
}

// send tries the addresses in order. Only while no connection was made is the next one tried: an operation is never sent twice.
func (c *Client) send(ctx context.Context, method string, q request) (*http.Response, error) {
	var faults []error
	for _, addr := range c.addrs {
		req, err := http.NewRequestWithContext(ctx, method, "https://"+addr+q.path, bytes.NewReader(q.body))
		if err != nil {
			return nil, err
		}
		if q.body == nil {
			req.Body, req.GetBody = http.NoBody, nil
		}
		req.URL.RawQuery = q.query.Encode()
		req.Header = q.header.Clone()
		req.Header.Set("Authorization", "Bearer "+c.token)
		req.Header.Set("Accept", "application/json, "+ProblemType)
		if q.body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := c.http.Do(req)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		faults = append(faults, reason(addr, err))
		if !beforeSending(err) {
			break
		}
	}
	all := oneLine(faults)
	if stranger(all) {
		return nil, all
	}
	return nil, fmt.Errorf("%w: %w", ErrUnreachable, all)
}

// ended says that the caller has waited long enough.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrLate, ctx.Err())
	}
	return ctx.Err()
}

// stranger reports whether an error says that somebody answered whom the client does not accept as its controller.
func stranger(err error) bool {
	return errors.Is(err, trust.ErrPin) || errors.Is(err, trust.ErrRole) || errors.Is(err, trust.ErrExpired)
}

// beforeSending reports whether an error came before anything of the request had left.
func beforeSending(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || stranger(err)
}

// reason takes the URL, which a person did not type, out of an error.
func reason(addr string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		err = op.Err
	} else if u := errors.Unwrap(err); u != nil {
		err = u
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() && (op == nil || op.Op != "dial") {
		err = fmt.Errorf("took the call and said nothing for %v", patience)
	}
	return fmt.Errorf("%s: %w", addr, err)
}

// faultList is several errors in one line.
type faultList []error

func oneLine(faults []error) error { return faultList(faults) }

func (f faultList) Error() string {
	var b bytes.Buffer
	for i, err := range f {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

func (f faultList) Unwrap() []error { return f }

// problem reads an answer that is not the one asked for.
func problem(r Route, resp *http.Response, body []byte) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	p := &Problem{}
	if kind == ProblemType && json.Unmarshal(body, p) == nil && p.Title != "" {
		p.Status = resp.StatusCode
		return p
	}
	code, hint := CodeInternal, "is there a proxy between, or another server at this address?"
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed {
		code, hint = CodeUnknownRoute, "controller and cvlan are of different versions; update the older one"
	}
	p = code.Problem(r.Summary, "the controller answered "+resp.Status+" and no more", hint)
	p.Status = resp.StatusCode
	return p
}
