package local

import "time"

// IPsec answers GetIPsec: what this machine offers, and the security associations that it has.
type IPsec struct {
	Schema   int            `json:"schema"`
	Networks []IPsecNetwork `json:"networks"`
}

// IPsecNetwork is one membership that is up and speaks IPsec.
type IPsecNetwork struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Profile    string      `json:"profile"`
	Identity   string      `json:"identity,omitempty"` // by which peers know this machine
	Algorithms Algorithms  `json:"algorithms"`
	Peers      []IPsecPeer `json:"peers"` // those with whom there is something
}

// Algorithms are the proposals of a profile, best first: each a list of transforms, of which those of one type are alternatives.
type Algorithms struct {
	IKE        [][]string `json:"ike"`
	ESP        [][]string `json:"esp"`
	Signatures []string   `json:"signatures"`
}

// IPsecPeer is what there is with one peer.
type IPsecPeer struct {
	Name string  `json:"name"`
	ID   string  `json:"id"`
	IKE  []IKESA `json:"ike"`
	ESP  []ESPSA `json:"esp"`
}

// IKESA is the association by which keys are agreed on.
type IKESA struct {
	Initiator string     `json:"spi_initiator"`
	Responder string     `json:"spi_responder"`
	Began     bool       `json:"began"` // by this machine
	Identity  string     `json:"identity"`
	Method    string     `json:"method"` // by which the peer has proved it
	Cipher    string     `json:"cipher"`
	Since     *time.Time `json:"since"`
	Heard     *time.Time `json:"heard,omitempty"`
	Rekey     *time.Time `json:"rekey,omitempty"`
	ProofEnds *time.Time `json:"proof_ends,omitempty"` // from then on the peer has to prove itself anew
	Pending   int        `json:"pending,omitempty"`    // exchanges that wait or are under way
}

// ESPSA is a pair of associations that carry packets, one a direction.
type ESPSA struct {
	In     string     `json:"spi_in"`
	Out    string     `json:"spi_out"`
	Cipher string     `json:"cipher"`
	Kernel string     `json:"kernel,omitempty"` // what the kernel does: "seals", "opens" or "both"
	State  string     `json:"state"`            // sealing: packets leave with it; receiving, waiting: not yet heard used; ending
	Since  *time.Time `json:"since"`
	Rekey  *time.Time `json:"rekey,omitempty"`
	Ends   *time.Time `json:"ends,omitempty"`
	Sent   uint64     `json:"sent"`     // packets
	Newest uint64     `json:"received"` // the highest number received
}

// IPsecRequest names a peer, or all of a network, or of all networks.
type IPsecRequest struct {
	Network string `json:"network,omitempty"`
	Peer    string `json:"peer,omitempty"`
}

// IPsecDone answers a request to rekey or to terminate: the peers concerned.
type IPsecDone struct {
	Schema int      `json:"schema"`
	Peers  []string `json:"peers"`
}

// IPsecLogRequest asks for what IKE did since, by network: what Next of the answer before said.
type IPsecLogRequest struct {
	Network string            `json:"network,omitempty"`
	Since   map[string]uint64 `json:"since,omitempty"`
}

// IPsecLog is what IKE did, oldest first. Nothing in it is secret.
type IPsecLog struct {
	Schema int               `json:"schema"`
	Events []IKEEvent        `json:"events"`
	Next   map[string]uint64 `json:"next"`
}

// IKEEvent is one event.
type IKEEvent struct {
	At      time.Time `json:"at"`
	Network string    `json:"network"`
	Event   string    `json:"event"`
	Peer    string    `json:"peer,omitempty"` // its name; absent: a stranger
	Reason  string    `json:"reason,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Cipher  string    `json:"cipher,omitempty"`
	SPI     string    `json:"spi,omitempty"`    // that packets come with
	Missed  uint64    `json:"missed,omitempty"` // refusals before it that were not remembered
}
