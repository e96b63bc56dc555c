package relays

import (
	"context"
	"errors"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// stagger is the head start of one way to a relay over the next: QUIC, TCP, the proxy if there is one.
const stagger = 150 * time.Millisecond

// errNoAddress is why a relay is not dialed that the map does not name any more.
var errNoAddress = errors.New("no address is known of the relay")

// connect finds a way to a relay, which has to show who it is.
func (f *Ferry) connect(ctx context.Context, r ident.Relay, c session.Credentials) (*stream.Conn, error) {
	t := f.target(r)
	if len(t.addrs) == 0 {
		return nil, errNoAddress
	}
	return stream.DialConn(ctx, stream.DialConfig{
		Whom: "relay", Addrs: t.addrs, TLS: configOf(c, r), Transport: f.cfg.Transport, Datagrams: true, Stagger: stagger,
		Memory: &f.past, Attachment: t.attachment + " " + r.String(), Afresh: t.afresh, Proxy: f.cfg.Proxy,
		Lookup: f.cfg.Lookup, DialTCP: f.cfg.DialTCP, ListenUDP: f.cfg.ListenUDP,
	})
}
