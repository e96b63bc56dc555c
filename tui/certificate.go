package tui

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// proofNews is what the controller says of a peer's certificates.
type proofNews struct {
	certificates []admin.Certificate // newest first
	signers      []admin.Authority
	at           time.Time
	err          error
}

// proofFresh is how long an answer is good.
const proofFresh = time.Minute

// maxProofs bounds what is remembered: the answers for those who were looked at lately.
const maxProofs = 64

// nextProof asks the controller for the certificates of the peer or node that is shown in full.
func (m *Model) nextProof() action {
	w := m.world
	id, ok := m.proofOf()
	if !ok || !w.admin || m.proofAsked {
		return nil
	}
	if known, ok := w.proofs[id]; ok && w.now.Sub(known.at) < proofFresh {
		return nil
	}
	m.proofAsked = true
	return askProof{id}
}

// proofOf names the node whose certificate is seen.
func (m *Model) proofOf() (node string, ok bool) {
	if m.detailed {
		p, ok := m.lookedAt()
		if !ok || p.Kind == local.PlainPeer {
			return "", false
		}
		return p.id.node, true
	}
	if n := m.nodes.current(); m.at == placeNodes && n != nil && m.nodes.shows {
		return n.ID.String(), true
	}
	return "", false
}

type askProof struct{ node string }

func (a askProof) run(ctx context.Context, c *Config) outcome {
	list, signers, err := c.Controller.Certificates(ctx, a.node)
	slices.SortFunc(list, func(a, b admin.Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
	return proofTold{theirs{}, a.node, proofNews{list, signers, c.Now(), err}}
}

type proofTold struct {
	theirs
	node string
	news proofNews
}

func (t proofTold) take(m *Model) action {
	m.proofAsked = false
	w := m.world
	if len(w.proofs) >= maxProofs {
		clear(w.proofs)
	}
	w.proofs[t.node] = t.news
	return nil
}

// certificate draws by what the peer proves who it is.
func (d *details) certificate(p *peer, width int) []string {
	t := d.theme
	switch {
	case p.Kind == local.PlainPeer:
		return append(certificateHead(t, width), append(paragraph(t.Dim, "It has none: its WireGuard key alone says who it is", width), "")...)
	case !d.admin:
		return append(certificateHead(t, width), append(paragraph(t.Dim, "Shown with a login to the controller: cvlan admin login --key-file FILE", width), "")...)
	}
	return append(d.proven(p.id.node, width), "")
}

func certificateHead(t *draw.Theme, width int) []string {
	return []string{t.Title.Paint(cells.Cut("CERTIFICATE", width))}
}

// proven draws the newest certificate of a node.
func (w *world) proven(node string, width int) []string {
	t := w.theme
	lines := certificateHead(t, width)
	known, ok := w.proofs[node]
	switch {
	case !ok:
		return append(lines, t.Dim.Paint(cells.Cut("…", width)))
	case known.err != nil:
		return append(lines, paragraph(t.Dim, cleanText(reason(known.err)), width)...)
	case len(known.certificates) == 0:
		return append(lines, paragraph(t.Fair, "None that has not ended", width)...)
	}
	c := &known.certificates[0]
	f := fields{theme: t, width: width}
	style, state := validity(t, c, w.now)
	f.style(style, "state", state)
	f.style(w.expiry(c.NotAfter), "ends", ends(w.now, c.NotAfter))
	f.add("signed by", signer(known.signers, c.Issuer))
	f.add("serial", cleanName(c.Serial))
	return append(lines, f.lines...)
}

// validity says whether a certificate counts.
func validity(t *draw.Theme, c *admin.Certificate, now time.Time) (draw.Style, string) {
	switch {
	case !c.Revoked.IsZero():
		text := "revoked " + words.Ago(now, c.Revoked)
		if c.Reason != "" {
			text += ", " + cleanName(c.Reason)
		}
		return t.Bad, text
	case c.State == "valid":
		return t.Good, "valid, not revoked"
	}
	return t.Bad, cleanName(c.State)
}

// ends says when something ends, near and as a date.
func ends(now, at time.Time) string {
	return words.Until(now, at) + ", " + at.In(now.Location()).Format(time.DateOnly)
}

// signer names an authority, and says what has become of it.
func signer(all []admin.Authority, serial string) string {
	i := slices.IndexFunc(all, func(a admin.Authority) bool { return a.Serial == serial })
	if i < 0 {
		return "authority " + cleanName(serial)
	}
	text := cleanText(all[i].Subject)
	switch all[i].State {
	case "trusted":
		text += ", which has been replaced"
	case "ended":
		text += ", which counts no more"
	}
	return text
}

// askOwn asks for this machine's certificates.
type askOwn struct{}

func (askOwn) run(ctx context.Context, c *Config) outcome {
	all, err := c.Daemon.Certificates(ctx)
	return ownTold{all.Certificates, err, c.Now()}
}

type ownTold struct {
	all []local.Certificate
	err error
	at  time.Time
}

func (t ownTold) take(m *Model) action {
	m.world.ownAsked, m.world.ownAt = false, t.at
	if t.err == nil {
		m.world.own = t.all
	}
	return nil
}

// nextOwn asks for this machine's certificates, where they are shown and not known lately.
func (w *world) nextOwn() action {
	if w.ownAsked || w.away != nil || w.now.Sub(w.ownAt) < proofFresh {
		return nil
	}
	w.ownAsked = true
	return askOwn{}
}

// ownProof is this machine's certificate in a network; nil: not known.
func (w *world) ownProof(n *network) *local.Certificate {
	i := slices.IndexFunc(w.own, func(c local.Certificate) bool { return c.ID == n.ID })
	if i < 0 {
		return nil
	}
	return &w.own[i]
}

// proof draws this machine's certificate in a network.
func (w *world) proof(n *network, width int) []string {
	c := w.ownProof(n)
	if c == nil {
		return nil
	}
	f := fields{theme: w.theme, width: width}
	f.style(w.expiry(c.NotAfter), "ends", ends(w.now, c.NotAfter))
	f.add("renewal", "by itself, from "+c.RenewsFrom.In(w.now.Location()).Format(time.DateOnly)+" on")
	f.add("names", cleanText(strings.Join(c.Names, " ")))
	f.add("signed by", cleanText(cmp.Or(c.Issuer.Subject, c.Issuer.Serial)))
	f.add("root", cleanText(c.Root.Subject)+", until "+c.Root.NotAfter.In(w.now.Location()).Format(time.DateOnly))
	f.add("key", cleanName(c.Key))
	f.add("serial", cleanName(c.Serial))
	f.add("fingerprint", cleanName(c.Fingerprint))
	return append(certificateHead(w.theme, width), f.lines...)
}

// certSoon is how long before its end a certificate ought to have been renewed.
const certSoon = 7 * 24 * time.Hour

func (w *world) expiry(at time.Time) draw.Style {
	switch left := at.Sub(w.now); {
	case left <= 0:
		return w.theme.Bad
	case left < certSoon:
		return w.theme.Fair
	}
	return w.theme.Text
}
