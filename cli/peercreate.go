package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/key"
)

// The forms of a configuration.
const (
	asWGQuick = "wg-quick"
	asQR      = "qr"
)

type peerCreateOptions struct {
	*session
	want     admin.NewPeer
	endpoint string
	export   string
	file     string // "-": standard output
	force    bool
	out      iox.Output
}

func newPeerCreate(s *session) *cobra.Command {
	o := &peerCreateOptions{session: s}
	c := &cobra.Command{
		Use:   "create NAME --network NETWORK --node NODE",
		Short: "Make a device a peer of nodes",
		Long: "create gives a plain WireGuard device addresses in a network and makes it a peer of the nodes that are named, and of no other. With --export a private " +
			"key and a preshared key are made here and written into the device's configuration; the controller gets the public key and the preshared key, and no " +
			"private one. A device that has a key already needs --public-key instead; with --export as well, its configuration has all but the private key. " +
			"--export wg-quick writes to --out, which must not exist unless --force is given, with mode 0600; --export qr shows a code for the phone's app in the terminal, or writes " +
			"a PNG to --out. Each form holds the device's private key: whoever reads it is the device.",
		Example: "  cvlan admin peer create phone --network office --node web-1 --node gw --export qr\n" +
			"  cvlan admin peer create laptop --network office --node gw --export wg-quick --out laptop.conf\n" +
			"  cvlan admin peer create router --network office --node gw --public-key KEY --endpoint 192.0.2.7:51820 --keepalive 25",
		Args: takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			o.want.Name = args[0]
			if why := o.fault(); why != "" {
				return usage(c, why)
			}
			return s.do(c, o.run)
		},
	}
	f := c.Flags()
	f.StringVar(&o.want.Network, "network", "", "network of the device, by name or identifier")
	f.StringArrayVar(&o.want.Nodes, "node", nil, "node that it may speak with, by name or identifier; may be repeated")
	f.StringVar(&o.want.Key, "public-key", "", "WireGuard public key that the device has already")
	f.StringVar(&o.endpoint, "endpoint", "", "where the device always is, address and UDP port, if it has a fixed address")
	f.Var(amount{&o.want.Keepalive, 0, math.MaxUint16}, "keepalive", "seconds between keepalives that its nodes send to it; 0: none")
	f.StringVar(&o.export, "export", "", "write the device's configuration: wg-quick, or qr")
	f.StringVar(&o.file, "out", "", "file to write it to; - is standard output")
	f.BoolVar(&o.force, "force", false, "replace the file if it exists")
	outputFlags(c, &o.out, "id")
	return c
}

// fault says why the flags make no sense; "" if they do. It also reads the endpoint.
func (o *peerCreateOptions) fault() string {
	shown := o.export == asQR && o.file == "" || o.file == "-"
	var err error
	if o.endpoint != "" {
		o.want.Endpoint, err = netip.ParseAddrPort(o.endpoint)
	}
	switch {
	case o.want.Network == "":
		return "--network is missing"
	case len(o.want.Nodes) == 0:
		return "--node is missing: name at least one that the device may speak with"
	case err != nil:
		return "--endpoint " + quoted(o.endpoint) + ": want an address and a port, like 192.0.2.7:51820"
	case o.want.Key != "" && !wireGuardKey(o.want.Key):
		return "--public-key " + quoted(o.want.Key) + ": want what `wg pubkey` prints, 44 characters"
	case o.export != "" && o.export != asWGQuick && o.export != asQR:
		return "--export " + quoted(o.export) + ": use wg-quick or qr"
	case o.export == "" && o.want.Key == "":
		return "--export or --public-key is missing: without either nobody would have the device's private key"
	case o.export == "" && (o.file != "" || o.force):
		return "--out and --force need --export"
	case o.export == asQR && o.want.Key != "":
		return "--export qr and --public-key exclude each other: a code without the private key is of no use"
	case o.export == asWGQuick && o.file == "":
		return "--out is missing; - is standard output"
	case shown && o.out.ForScripts():
		return "--json, --template and --quiet need standard output for themselves; write the configuration to a file with --out"
	}
	return ""
}

// wireGuardKey reports whether a text has the shape of a key: 32 bytes in base64.
func wireGuardKey(text string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && len(raw) == 32
}

// secrets are what is made here. The private one never leaves but in the configuration.
func (o *peerCreateOptions) secrets() (q wgQuick) {
	if o.export == "" {
		return q
	}
	q.preshared = key.NewPreshared()
	if o.want.Key == "" {
		q.private = key.NewWGPrivate()
		o.want.Key = q.private.Public().String()
	}
	o.want.Preshared = q.preshared.Text()
	return q
}

func (o *peerCreateOptions) run(w *work) error {
	q := o.secrets()
	var c caveats
	path := o.file
	if o.export == asQR {
		path = either(path, "-")
	}
	err := w.fill(path, o.force, func() ([]byte, error) {
		made, err := admin.Call(w, w.client, admin.CreatePeer, admin.CreatePeerIn{InTenant: w.InTenant, Body: o.want})
		if err != nil {
			return nil, err
		}
		var text []byte
		q.peer = made.Body
		text, c, err = o.configuration(q)
		return text, err
	})
	if err != nil {
		if !q.peer.ID.IsZero() {
			o.undo(w, q.peer)
		}
		return err
	}
	return o.tell(q, c)
}

// configuration is the device's, if one is asked for.
func (o *peerCreateOptions) configuration(q wgQuick) ([]byte, caveats, error) {
	if o.export == "" {
		return nil, caveats{}, nil
	}
	text, c, err := q.text(o.export == asQR)
	content := []byte(text)
	if err == nil && o.export == asQR {
		content, err = o.draw(text, o.file != "" && o.file != "-")
	}
	return content, c, err
}

// draw makes a QR code of a configuration, as a picture or for the terminal.
func (o *peerCreateOptions) draw(text string, picture bool) ([]byte, error) {
	code, err := encodeQR(text)
	if err != nil {
		return nil, err
	}
	if picture {
		var b bytes.Buffer
		err := code.png(&b)
		return b.Bytes(), err
	}
	if o.IO.Width > 0 && o.IO.Width < code.size {
		o.IO.Notef("! The code is %d columns wide and the window %d: make it larger and repeat, or write a picture with --out FILE.png", code.size, o.IO.Width)
	}
	return []byte(code.text(o.IO.Color)), nil
}

// undo removes a peer whose private key nobody has.
func (o *peerCreateOptions) undo(w *work, p admin.PeerDetail) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w), 10*time.Second)
	defer cancel()
	in := admin.DeletePeerIn{OnePeerIn: w.peer(p.ID.String())}
	if _, err := admin.Call(ctx, w.client, admin.DeletePeer, in); err != nil {
		o.IO.Notef("The peer was made, and removing it failed too: cvlan admin peer delete %s", p.ID)
	}
}

// tell says what was made; on standard output only where the configuration is not.
func (o *peerCreateOptions) tell(q wgQuick, c caveats) error {
	p := q.peer
	if len(c.unknown) > 0 && !p.Endpoint.IsValid() {
		o.IO.Notef("! It is not known where %s can be reached: write an Endpoint into the configuration, or the device cannot call", strings.Join(c.unknown, ", "))
	}
	if len(c.near) > 0 && !p.Endpoint.IsValid() {
		o.IO.Notef("! Only private addresses are known of %s: from elsewhere the device needs another Endpoint", strings.Join(c.near, ", "))
	}
	names := make([]string, len(p.Nodes))
	for i, n := range p.Nodes {
		names[i] = n.Name
	}
	made := p.Name + " is a peer of " + strings.Join(names, ", ") + " in " + p.NetworkName + ": " + addresses(p.Addresses)
	if o.export != "" && (o.file == "" || o.file == "-") {
		o.IO.Notef("%s", made)
		return nil
	}
	return o.out.Write(o.IO, document{p}, func() {
		o.IO.Printf("%s", made)
		if o.file != "" {
			o.IO.Notef("Its configuration is in %s. Bring it to the device and delete the file: %s", o.file, warning(q))
		}
	})
}

func warning(q wgQuick) string {
	if q.private.IsZero() {
		return "it holds the preshared key."
	}
	return "whoever reads it is the device."
}
