package localapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// DefaultGroup is the group whose members are operators.
const DefaultGroup = "cvlan"

// Backend is the daemon, as this door sees it. Its errors are *local.Error where the caller is to learn the reason.
type Backend interface {
	Status() local.Status
	// Changed returns a channel that is closed when Status next changes.
	Changed() <-chan struct{}
	WireGuard() local.WireGuard
	Path(context.Context, local.PathRequest) (local.PeerPath, error)
	Reach(context.Context, local.PathRequest) (local.Reach, error)
	DNS() local.DNS
	QueryDNS(context.Context, local.DNSRequest) (local.DNSAnswers, error)
	PolicyLog(context.Context, local.PolicyLogRequest) (local.PolicyLog, error)
	NetCheck(context.Context) (local.NetCheck, error)
	Log() local.Log
	Settings() local.Settings
	Set(context.Context, local.SetRequest) (local.Settings, error)
	IPsec() local.IPsec
	RekeyIPsec(context.Context, local.IPsecRequest) (local.IPsecDone, error)
	TerminateIPsec(context.Context, local.IPsecRequest) (local.IPsecDone, error)
	IPsecLog(context.Context, local.IPsecLogRequest) (local.IPsecLog, error)
	Certificates() local.Certificates
	RenewCertificate(context.Context, local.RenewRequest) (local.Renewed, error)
	Up(context.Context, local.UpRequest) (local.Networks, error)
	Down(context.Context, local.DownRequest) (local.Networks, error)
	Logout(context.Context, local.LogoutRequest) (local.LoggedOut, error)
	Ping(context.Context, local.PingRequest) (local.Pong, error)
}

// Config is what a server needs.
type Config struct {
	Path      string // of the socket
	Group     string // whose members are operators; "": DefaultGroup
	ReadGroup bool   // local_read=group: who is not in the group may not even read
	Backend   Backend
	Log       *slog.Logger
}

// Server answers at the socket.
type Server struct {
	cfg    Config
	log    *slog.Logger
	l      *counted
	http   *http.Server
	routes map[string]route // by method and path

	mu       sync.Mutex
	watching map[uint32]int
}

// New opens the socket. Nothing is answered before Serve; Close frees a server that never served.
func New(cfg Config) (*Server, error) {
	if cfg.Group == "" {
		cfg.Group = DefaultGroup
	}
	l, err := listen(cfg.Path)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log, watching: map[uint32]int{}}
	s.l = &counted{UnixListener: l, s: s, users: map[uint32]int{}}
	s.routes = s.table()
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, callerKey{}, c.(*conn).who)
		},
	}
	return s, nil
}

type callerKey struct{}

// Close removes the socket.
func (s *Server) Close() error { return s.l.Close() }

// Serve answers until ctx is done; then it lets requests finish for a second, ends watches, and removes the socket.
func (s *Server) Serve(ctx context.Context) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s.http.BaseContext = func(net.Listener) context.Context { return base }
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.endWatches(cancel)
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) endWatches(cancel context.CancelFunc) {
	stop, done := context.WithTimeout(context.Background(), time.Second)
	defer done()
	cancel()
	if s.http.Shutdown(stop) != nil {
		s.http.Close()
	}
}
