package session

import (
	"time"

	"github.com/cvlan/cvlan/internal/sys/stream"
)

// Phase says what a session is doing.
type Phase int

// The phases.
const (
	Connecting Phase = iota // dials, or waits for Welcome
	Connected               // the controller has welcomed the node
	Waiting                 // between two attempts; see State.NextTry
	Silent                  // was Connected, and the connection stands, but the controller does not answer on it
)

// Verdict is what a controller has said, or a certificate has come to, that no retry will change. It stands until a Welcome.
type Verdict int

// The verdicts.
const (
	Fine    Verdict = iota
	Removed         // the node has been deleted
	Cloned          // another machine lives with the same keys, and answers
	Expired         // the certificate has run out, or the controller does not accept it any more
)

// Problem says what is wrong, and what to do about it.
type Problem struct {
	Code string // stable, kebab-case
	What string // what failed: why
	Hint string // may be empty
}

// State is what a session tells of itself; a value that never changes once it is published.
type State struct {
	Phase     Phase
	Verdict   Verdict
	Since     time.Time        // when the phase began
	Address   string           // of the controller in use, else the first to be tried
	Transport stream.Transport // of the session, while connected or silent
	Proxy     string           // host:port of the HTTP proxy that the session goes through, while connected or silent; "": none
	Contact   time.Time        // when the last frame arrived; zero if none did since Run
	NextTry   time.Time        // while Waiting
	Problem   *Problem         // why it is not connected, or what is wrong with the session
	CertUntil time.Time        // end of the node's certificate
}

// Problem codes.
const (
	codeUnreachable = "controller-unreachable"
	codeSilent      = "controller-silent"
	codeUntrusted   = "controller-not-trusted"
	codeClock       = "clock-wrong"
	codeExpired     = "certificate-expired"
	codeRemoved     = "removed"
	codeCloned      = "cloned"
	codeReplaced    = "replaced"
	codeSkew        = "version-skew"
	codeProtocol    = "protocol-error"
	codeRestart     = "controller-restarting"
	codeUnavailable = "controller-unavailable"
	codeMap         = "map-refused"
	codeRecord      = "record-not-ours"
)
