package local

import (
	"context"
	"net/http"
	"net/netip"
	"time"
)

// The operations about names. Of other people's names the daemon may be asked too, by whoever can ask its server anyway.
var (
	GetDNS       = Op[None, DNS]{Route{http.MethodGet, "/v1/dns", Read, false, "Show who finds which names on this machine"}}
	PostDNSQuery = Op[DNSRequest, DNSAnswers]{Route{http.MethodPost, "/v1/dns/query", Read, false, "Show what programs of this machine are told about a name"}}
)

// DNS is how programs of this machine find machines of its networks by name.
type DNS struct {
	Schema    int             `json:"schema"`
	Server    *netip.AddrPort `json:"server,omitempty"`    // that answers for names; absent: no network that is up has any
	Since     *time.Time      `json:"since,omitempty"`     // it does
	Manager   string          `json:"manager,omitempty"`   // who is told to ask it: systemd-resolved, file
	Path      string          `json:"path,omitempty"`      // of the resolv.conf that programs read
	InPlace   bool            `json:"in_place"`            // it says what it is to say
	Upstreams []netip.Addr    `json:"upstreams,omitempty"` // who is asked about other names, where all questions come to our server
	Search    []string        `json:"search,omitempty"`    // domains in which a name without a dot is looked for, in this order
	Names     int             `json:"names"`
	Restored  int             `json:"restored"` // how often within the hour what others had taken out was put back
	Answered  uint64          `json:"answered"`
	Forwarded uint64          `json:"forwarded"`
	Failed    uint64          `json:"failed"` // of those that others were asked
	Problem   *Problem        `json:"problem,omitempty"`
	Networks  []DNSNetwork    `json:"networks"`
}

// DNSNetwork is a network and its names.
type DNSNetwork struct {
	Network   string `json:"network"`
	Domain    string `json:"domain"` // "": not known yet
	Interface string `json:"interface,omitempty"`
	On        bool   `json:"on"`     // the setting dns
	Served    bool   `json:"served"` // its names are answered for now
}

// DNSRequest asks about one name.
type DNSRequest struct {
	Name string `json:"name"` // without a dot it is looked for in DNS.Search; an address: its name
}

// DNSAnswers answers it: A and AAAA, or PTR.
type DNSAnswers struct {
	Schema  int         `json:"schema"`
	Answers []DNSAnswer `json:"answers"`
}

// DNSAnswer is what was answered to one question.
type DNSAnswer struct {
	Name    string   `json:"name"` // in full
	Type    string   `json:"type"` // A, AAAA, PTR
	Code    string   `json:"code"` // NOERROR, NXDOMAIN, REFUSED, SERVFAIL
	Records []string `json:"records"`
	Ours    bool     `json:"ours"` // answered by what this machine knows of its networks; else by who is asked about all other names
	Why     string   `json:"why"`
}

// DNS returns how names are found.
func (c *Client) DNS(ctx context.Context) (DNS, error) { return call(ctx, c, GetDNS, None{}) }

// QueryDNS looks up a name.
func (c *Client) QueryDNS(ctx context.Context, r DNSRequest) (DNSAnswers, error) {
	return call(ctx, c, PostDNSQuery, r)
}
