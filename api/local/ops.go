package local

import (
	"net/http"

	"github.com/cvlan/cvlan/internal/base/version"
)

// Route is where an operation is found, and what it asks of its caller. The daemon refuses a caller below Level with
// CodePermission before it reads the request's body.
type Route struct {
	Method  string
	Path    string
	Level   Level
	Watch   bool // answers with a stream of server-sent events (package sse), one Out each, the state of now first
	Summary string
}

// Op is an operation: In is the JSON body of the request (None: no body), Out that of the answer with status 200. Every other
// status carries a *Error as application/problem+json.
type Op[In, Out any] struct{ Route }

// None is the In of operations without a request body.
type None struct{}

// MaxRequest bounds a request's body, in bytes.
const MaxRequest = 64 << 10

// EventStatus names the events of StatusWatch.
const EventStatus = "status"

// The operations.
var (
	GetStatus   = Op[None, Status]{Route{http.MethodGet, "/v1/status", Read, false, "Show the whole state"}}
	WatchStatus = Op[None, Status]{Route{http.MethodGet, "/v1/status/watch", Read, true, "Show the whole state, now and at every change"}}
	GetVersion  = Op[None, About]{Route{http.MethodGet, "/v1/version", Read, false, "Tell which build the daemon is"}}
	// GetWireGuard shows endpoints and keys' ages, so it asks for more than Read.
	GetWireGuard = Op[None, WireGuard]{Route{http.MethodGet, "/v1/wg", Operate, false, "Show the WireGuard tunnels and what they drop"}}
	// PostPath shows addresses, likewise.
	PostPath = Op[PathRequest, PeerPath]{Route{http.MethodPost, "/v1/path", Operate, false, "Show every way to a peer, and which is in use"}}
	// GetNetCheck sends to relays and shows addresses; it takes up to three seconds.
	GetNetCheck = Op[None, NetCheck]{Route{http.MethodGet, "/v1/netcheck", Operate, false, "Find out what this machine's network lets through"}}
	// PostPolicyLog shows whose packets were dropped, likewise.
	PostPolicyLog = Op[PolicyLogRequest, PolicyLog]{Route{http.MethodPost, "/v1/policy/log", Operate, false, "Show what the filter has dropped lately, and counted"}}
	// GetIPsec shows identities and the ages of keys, PostIPsecLog who has tried to speak with this machine, likewise.
	GetIPsec           = Op[None, IPsec]{Route{http.MethodGet, "/v1/ipsec", Operate, false, "Show the security associations of IPsec, and what is offered"}}
	PostIPsecRekey     = Op[IPsecRequest, IPsecDone]{Route{http.MethodPost, "/v1/ipsec/rekey", Operate, false, "Replace security associations"}}
	PostIPsecTerminate = Op[IPsecRequest, IPsecDone]{Route{http.MethodPost, "/v1/ipsec/terminate", Operate, false, "End security associations"}}
	PostIPsecLog       = Op[IPsecLogRequest, IPsecLog]{Route{http.MethodPost, "/v1/ipsec/log", Operate, false, "Show what IKE did lately"}}
	PostPing           = Op[PingRequest, Pong]{Route{http.MethodPost, "/v1/ping", Read, false, "Send one echo to a peer"}}
	// GetSettings lists all; PatchSettings takes what SetRequest names.
	GetSettings   = Op[None, Settings]{Route{http.MethodGet, "/v1/settings", Read, false, "Show everything that can be set, as it is now"}}
	PatchSettings = Op[SetRequest, Settings]{Route{http.MethodPatch, "/v1/settings", Operate, false, "Change settings"}}
	PostUp        = Op[UpRequest, Networks]{Route{http.MethodPost, "/v1/up", Operate, false, "Join a network, or bring memberships up"}}
	PostDown      = Op[DownRequest, Networks]{Route{http.MethodPost, "/v1/down", Operate, false, "Switch memberships off"}}
	PostLogout    = Op[LogoutRequest, LoggedOut]{Route{http.MethodPost, "/v1/logout", Operate, false, "Leave a network for good"}}
)

// Routes returns all of them: the daemon serves each, and no other.
func Routes() []Route {
	return []Route{GetStatus.Route, WatchStatus.Route, GetVersion.Route, GetWireGuard.Route, PostPath.Route, PostReach.Route, GetDNS.Route, PostDNSQuery.Route, PostPolicyLog.Route, GetNetCheck.Route, PostPing.Route, GetLog.Route, GetSettings.Route, PatchSettings.Route, GetIPsec.Route, PostIPsecRekey.Route, PostIPsecTerminate.Route, PostIPsecLog.Route,
		GetCertificates.Route, PostRenew.Route, PostUp.Route, PostDown.Route, PostLogout.Route}
}

// About answers GetVersion.
type About struct {
	Schema int          `json:"schema"`
	Daemon version.Info `json:"daemon"`
}
