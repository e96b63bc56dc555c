package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/cmd/internal/conf"
	"github.com/cvlan/cvlan/cmd/internal/verbs"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/relay"
	"github.com/cvlan/cvlan/relay/server"
)

// Where settings come from besides the command line.
const (
	envPrefix   = "CVLAN_RELAY"
	defaultFile = "/etc/cvlan/relay.toml"
	defaultData = "/var/lib/cvlan-relay"
)

// maxKeyFile bounds a key's file, in bytes.
const maxKeyFile = 8 << 10

// settings are the flags of serve, and so all settings there are.
type settings struct {
	relay.Config
	keyFile   string
	transport string
	node      limit
	tenant    limit
	logLevel  string
	logJSON   bool
}

// limit is a rate as people write it: Mbit/s and packets a second, 0 for none.
type limit struct{ mbit, packets int }

// flags declares every setting once.
func (s *settings) flags(fs *pflag.FlagSet) {
	fs.String(conf.FileFlag, "", "read settings from this TOML file")
	fs.StringVar(&s.Data, "data-dir", defaultData, "folder of the relay's identity and of what it remembers")
	fs.StringVar(&s.keyFile, "key-file", "", "file with the relay's key, - for standard input; needed at the first start only")
	fs.StringSliceVar(&s.Controller, "controller", nil, "host:port of a controller, may be repeated; without it those in the key")
	fs.StringVar(&s.Listen, "listen", relay.DefaultListen, ":port to listen on, UDP and TCP")
	fs.StringVar(&s.STUN, "stun", relay.DefaultSTUN, ":port for STUN alone, UDP; empty: none (the other port answers STUN too)")
	fs.StringVar(&s.HTTP, "http", relay.DefaultHTTP, "host:port of /health and /metrics; empty: none")
	fs.StringSliceVar(&s.Advertise, "advertise", nil, "host:port at which nodes reach this relay, most wanted first, 8 at most; without it this machine's own addresses")
	fs.StringVar(&s.Region, "region", "", "where it is, unless the admin has said so: a label")
	fs.IntVar(&s.node.mbit, "node-rate", 0, "most that one node may send, in Mbit/s; 0: no limit")
	fs.IntVar(&s.node.packets, "node-packet-rate", 0, "most that one node may send, in packets a second; 0: no limit")
	fs.IntVar(&s.tenant.mbit, "tenant-rate", 0, "most that the nodes of one tenant may send together, in Mbit/s; 0: no limit")
	fs.IntVar(&s.tenant.packets, "tenant-packet-rate", 0, "most that the nodes of one tenant may send together, in packets a second; 0: no limit")
	fs.DurationVar(&s.DrainTime, "drain-time", 5*time.Second, "how long a relay that is told to stop waits for its clients to go to another, if there is one")
	fs.StringVar(&s.transport, "controller-transport", "auto", "how to reach the controller: auto, quic or tcp")
	fs.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	fs.BoolVar(&s.logJSON, "log-json", false, "write the log as JSON")
}

// load fills in environment and file and checks everything but the key.
func (s *settings) load(fs *pflag.FlagSet) error {
	if err := conf.Apply(fs, envPrefix, defaultFile); err != nil {
		return verbs.Input(err)
	}
	s.Transport = stream.Transport(s.transport)
	log, err := logx.New(os.Stderr, s.logLevel, s.logJSON)
	s.Log = log
	if min(s.node.mbit, s.node.packets, s.tenant.mbit, s.tenant.packets) < 0 {
		err = errors.Join(err, errors.New("node_rate, node_packet_rate, tenant_rate, tenant_packet_rate: are negative"))
	}
	if err := errors.Join(s.Validate(), err); err != nil {
		return verbs.Input(err)
	}
	s.NodeRate, s.TenantRate = s.node.rate(), s.tenant.rate()
	s.Calm = debug.FreeOSMemory
	return nil
}

// rate is how the relay counts: bytes and packets a second, with half a second's worth at once.
func (l limit) rate() forward.Rate {
	return forward.Rate{Bytes: l.mbit * 1_000_000 / 8, Packets: l.packets, Burst: time.Second / 2}
}

// key reads the relay's key, if a file was named and the relay has not joined yet: afterwards the file may be gone.
func (s *settings) key(in io.Reader) error {
	if s.keyFile == "" || relay.Joined(s.Data) {
		return nil
	}
	if s.keyFile != "-" {
		f, err := os.Open(s.keyFile)
		if err != nil {
			return verbs.Input(fmt.Errorf("key-file: %w", err))
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxKeyFile))
	if err != nil {
		return verbs.Input(fmt.Errorf("key-file: %w", err))
	}
	t, err := ticket.Parse(ticket.Relay, string(text))
	if err != nil {
		return verbs.Input(fmt.Errorf("key-file: %w", err))
	}
	s.Key = func(context.Context) (ticket.Ticket, error) { return t, nil }
	return nil
}

func serveCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the relay",
		Long:  "Runs the relay until it is told to stop (ctrl-C, SIGTERM). The first start redeems the key; later ones need neither the key\nnor the controller.",
		Example: "  cvlan-relay serve --key-file fra-1.relay.key --advertise fra-1.example.com:8443\n" +
			"  cvlan-relay serve --config /etc/cvlan/relay.toml",
		Args: verbs.None,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.load(c.Flags()); err != nil {
				return err
			}
			if err := s.key(c.InOrStdin()); err != nil {
				return err
			}
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(server.GCPercent)
			}
			r, err := relay.New(s.Config)
			if err != nil {
				return err
			}
			return r.Run(c.Context(), func() {
				fmt.Fprintf(c.OutOrStdout(), "cvlan-relay %s is ready at %s (UDP and TCP)\n", version.Get().Title(), strings.Join(r.Addresses(), ", "))
			})
		},
	}
	s.flags(c.Flags())
	return c
}

func configCommand() *cobra.Command {
	var s settings
	check := &cobra.Command{
		Use: "check", Short: "Check the settings and the relay's folder", Args: verbs.None,
		Long:    "check reads the settings as serve would, and says what is wrong with them, all at once. It changes nothing.",
		Example: "  cvlan-relay config check --config /etc/cvlan/relay.toml",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.load(c.Flags()); err != nil {
				return err
			}
			if s.keyFile != "-" { // which would be taken from serve
				if err := s.key(nil); err != nil {
					return err
				}
			}
			said, err := relay.Check(s.Config)
			if err != nil {
				return verbs.Input(err)
			}
			fmt.Fprintln(c.OutOrStdout(), said)
			return nil
		},
	}
	s.flags(check.Flags())
	return verbs.Group("config", "Look after the settings", "", check)
}
