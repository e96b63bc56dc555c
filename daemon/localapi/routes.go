package localapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/version"
)

const (
	// bodyTimeout is how long a request's body may take to arrive, writeTimeout how long an answer or event to be taken.
	bodyTimeout  = 10 * time.Second
	writeTimeout = 10 * time.Second
)

// route is an operation and what does it.
type route struct {
	local.Route
	serve func(http.ResponseWriter, *http.Request, local.Level)
}

func key(method, path string) string { return method + " " + path }

// table binds every operation of the schema.
func (s *Server) table() map[string]route {
	b := s.cfg.Backend
	t := map[string]route{}
	add := func(r local.Route, serve func(http.ResponseWriter, *http.Request, local.Level)) {
		t[key(r.Method, r.Path)] = route{r, serve}
	}
	add(local.WatchStatus.Route, s.watch)
	bind(s, add, local.GetStatus, func(_ context.Context, _ local.None, l local.Level) (local.Status, error) {
		return redact(b.Status(), l), nil
	})
	bind(s, add, local.GetVersion, func(context.Context, local.None, local.Level) (local.About, error) {
		return local.About{Schema: local.Schema, Daemon: version.Get()}, nil
	})
	bind(s, add, local.GetWireGuard, func(context.Context, local.None, local.Level) (local.WireGuard, error) {
		return b.WireGuard(), nil
	})
	bind(s, add, local.PostPath, func(ctx context.Context, in local.PathRequest, _ local.Level) (local.PeerPath, error) {
		return b.Path(ctx, in)
	})
	bind(s, add, local.PostReach, func(ctx context.Context, in local.PathRequest, _ local.Level) (local.Reach, error) {
		return b.Reach(ctx, in)
	})
	bind(s, add, local.PostPolicyLog, func(ctx context.Context, in local.PolicyLogRequest, _ local.Level) (local.PolicyLog, error) {
		return b.PolicyLog(ctx, in)
	})
	bind(s, add, local.GetDNS, func(context.Context, local.None, local.Level) (local.DNS, error) { return b.DNS(), nil })
	bind(s, add, local.PostDNSQuery, func(ctx context.Context, in local.DNSRequest, _ local.Level) (local.DNSAnswers, error) {
		return b.QueryDNS(ctx, in)
	})
	bind(s, add, local.GetNetCheck, func(ctx context.Context, _ local.None, _ local.Level) (local.NetCheck, error) {
		return b.NetCheck(ctx)
	})
	bind(s, add, local.GetLog, func(context.Context, local.None, local.Level) (local.Log, error) {
		return b.Log(), nil
	})
	bind(s, add, local.PostPing, func(ctx context.Context, in local.PingRequest, l local.Level) (local.Pong, error) {
		p, err := b.Ping(ctx, in)
		return redactPong(p, l), err
	})
	bind(s, add, local.GetSettings, func(context.Context, local.None, local.Level) (local.Settings, error) {
		return b.Settings(), nil
	})
	bind(s, add, local.PatchSettings, func(ctx context.Context, in local.SetRequest, _ local.Level) (local.Settings, error) {
		return b.Set(ctx, in)
	})
	s.bindIPsec(add)
	bind(s, add, local.PostUp, func(ctx context.Context, in local.UpRequest, l local.Level) (local.Networks, error) {
		return redactNetworks(l)(b.Up(ctx, in))
	})
	bind(s, add, local.PostDown, func(ctx context.Context, in local.DownRequest, l local.Level) (local.Networks, error) {
		return redactNetworks(l)(b.Down(ctx, in))
	})
	bind(s, add, local.PostLogout, func(ctx context.Context, in local.LogoutRequest, _ local.Level) (local.LoggedOut, error) {
		return b.Logout(ctx, in)
	})
	return t
}

// bindIPsec binds the operations on security associations and certificates.
func (s *Server) bindIPsec(add adder) {
	b := s.cfg.Backend
	bind(s, add, local.GetIPsec, func(context.Context, local.None, local.Level) (local.IPsec, error) { return b.IPsec(), nil })
	bind(s, add, local.PostIPsecRekey, func(ctx context.Context, in local.IPsecRequest, _ local.Level) (local.IPsecDone, error) {
		return b.RekeyIPsec(ctx, in)
	})
	bind(s, add, local.PostIPsecTerminate, func(ctx context.Context, in local.IPsecRequest, _ local.Level) (local.IPsecDone, error) {
		return b.TerminateIPsec(ctx, in)
	})
	bind(s, add, local.PostIPsecLog, func(ctx context.Context, in local.IPsecLogRequest, _ local.Level) (local.IPsecLog, error) {
		return b.IPsecLog(ctx, in)
	})
	bind(s, add, local.GetCertificates, func(context.Context, local.None, local.Level) (local.Certificates, error) {
		return b.Certificates(), nil
	})
	bind(s, add, local.PostRenew, func(ctx context.Context, in local.RenewRequest, _ local.Level) (local.Renewed, error) {
		return b.RenewCertificate(ctx, in)
	})
}

// adder takes an operation and what serves it.
type adder func(local.Route, func(http.ResponseWriter, *http.Request, local.Level))

// bind makes a handler of an operation and the function that does it.
func bind[In, Out any](s *Server, add adder, op local.Op[In, Out], do func(context.Context, In, local.Level) (Out, error)) {
	add(op.Route, func(w http.ResponseWriter, r *http.Request, l local.Level) {
		var in In
		if _, bodyless := any(in).(local.None); !bodyless {
			if err := decode(w, r, &in); err != nil {
				s.fail(w, err)
				return
			}
		}
		out, err := do(r.Context(), in, l)
		if err != nil {
			s.fail(w, err)
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // whoever has gone needs no answer
	})
}

// ServeHTTP finds the operation, and refuses callers whose level is too low before anything of the body is read.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, _ := r.Context().Value(callerKey{}).(caller)
	l := s.level(who)
	op, ok := s.routes[key(r.Method, r.URL.Path)]
	switch {
	case l == none:
		s.fail(w, local.CodePermission.Problem("talk to the daemon", "this machine's administrator has closed its state to users outside the group "+s.cfg.Group, "use sudo, or become a member of that group"))
	case !ok:
		s.fail(w, local.CodeSkew.Problem(r.Method+" "+r.URL.Path, "the daemon has no such operation", "it is older than this program: restart it after an upgrade; compare cvlan version"))
	case rank[l] < rank[op.Level]:
		s.fail(w, tooLow(op.Route, s.cfg.Group))
	default:
		op.serve(w, r, l)
	}
}

func tooLow(r local.Route, group string) *local.Error {
	hint := "use sudo"
	if r.Level == local.Operate {
		hint = "use sudo, or become a member of the group " + group
	}
	return local.CodePermission.Problem(strings.ToLower(r.Summary[:1])+r.Summary[1:], "this user may not do that", hint)
}

func decode(w http.ResponseWriter, r *http.Request, into any) error {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, local.MaxRequest))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return local.CodeInvalid.Problem("read the request", "it is too long", "")
	case err != nil:
		return local.CodeTimeout.Problem("read the request", "it did not arrive whole in time", "")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return local.CodeInvalid.Problem("read the request", "it is not the JSON that this operation takes", "") // the cause could quote a join key
	}
	return nil
}

// fail answers with a problem. A cause that nobody has put into words is logged, too.
func (s *Server) fail(w http.ResponseWriter, err error) {
	var e *local.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e = local.CodeTimeout.Problem("do that", "it took too long", "")
	default:
		s.log.Error("local request failed", logx.Err, err)
		e = local.CodeInternal.Problem("do that", err.Error(), "the daemon's log may say more")
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.Header().Set("Content-Type", local.ProblemType)
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(e)
}
