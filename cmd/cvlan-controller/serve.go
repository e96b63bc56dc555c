package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/cmd/internal/conf"
	"github.com/cvlan/cvlan/cmd/internal/verbs"
	"github.com/cvlan/cvlan/controller"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// Where settings come from besides the command line.
const (
	envPrefix   = "CVLAN_CONTROLLER"
	defaultFile = "/etc/cvlan/controller.toml"
)

// settings are the flags of serve, and so all settings there are.
type settings struct {
	controller.Config
	relay     relaySettings
	transport string
	logLevel  string
	logJSON   bool
}

// flags declares every setting once.
func (s *settings) flags(fs *pflag.FlagSet) {
	fs.String(conf.FileFlag, "", "read settings from this TOML file")
	fs.StringVar(&s.Data, "data", "/var/lib/cvlan-controller", "folder of the database and the first admin key")
	fs.StringVar(&s.Listen, "listen", controller.DefaultListen, "host:port to listen on, UDP and TCP")
	fs.StringVar(&s.AdminListen, "admin-listen", "", "host:port for the admin API alone; without it the API shares the other one")
	fs.StringVar(&s.HTTP, "http", "", "host:port of /health and /metrics, without TLS and keys; empty: none")
	fs.StringSliceVar(&s.Addresses, "address", nil, "host:port at which nodes reach this controller, most wanted first, 8 at most; without it this machine's own addresses")
	fs.StringVar(&s.transport, "node-transport", "auto", "what nodes are asked to use: auto, quic or tcp")
	s.relay.flags(fs)
	fs.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	fs.BoolVar(&s.logJSON, "log-json", false, "write the log as JSON")
}

// load fills in environment and file and checks everything.
func (s *settings) load(fs *pflag.FlagSet) error {
	if err := conf.Apply(fs, envPrefix, defaultFile); err != nil {
		return verbs.Input(err)
	}
	s.Transport = stream.Transport(s.transport)
	log, err := logx.New(os.Stderr, s.logLevel, s.logJSON)
	s.Log = log
	if err := errors.Join(s.Validate(), err); err != nil {
		return verbs.Input(err)
	}
	return nil
}

func serveCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the controller",
		Long:  "Runs the controller until it is told to stop (ctrl-C, SIGTERM). The first start makes a database, a certificate\nauthority and an admin key in the data folder.",
		Example: "  cvlan-controller serve --data ./data\n" +
			"  cvlan-controller serve --with-relay --address vpn.example.com:8443\n" +
			"  cvlan-controller serve --config /etc/cvlan/controller.toml",
		Args: verbs.None,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.load(c.Flags()); err != nil {
				return err
			}
			if s.relay.on {
				b, err := openBox(c.Context(), s.Config, s.relay)
				if err != nil {
					return err
				}
				return b.run(c.Context(), func() { greet(c, b.ctl) })
			}
			ctl, err := controller.New(c.Context(), s.Config)
			if err != nil {
				return err
			}
			return ctl.Run(c.Context(), func() { greet(c, ctl) })
		},
	}
	s.flags(c.Flags())
	return c
}

// greet says where the controller is and what to type next.
func greet(c *cobra.Command, ctl *controller.Controller) {
	out := c.OutOrStdout()
	fmt.Fprintf(out, "cvlan-controller %s is ready at %s (UDP and TCP)\n", version.Get().Title(), strings.Join(ctl.Addresses(), ", "))
	if path, ok := ctl.AdminKey(); ok {
		fmt.Fprintf(out, "log in as admin, here or elsewhere:  cvlan admin login --key-file %s\n", path)
	}
}
