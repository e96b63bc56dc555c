package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cmd/internal/conf"
	"github.com/cvlan/cvlan/daemon"
	"github.com/cvlan/cvlan/daemon/localapi"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// Where settings come from besides the command line.
const (
	envPrefix   = "CVLAN"
	defaultFile = "/etc/cvlan/cvland.toml"
)

// minMTU is what IPv6 asks of every link (RFC 8200, section 5), maxMTU what links with jumbo frames carry.
const (
	minMTU = 1280
	maxMTU = 9000
)

// defaultRelayPort is that of relays.
const defaultRelayPort = 8443

// maxWorkers is where more would only take memory.
const maxWorkers = 16

// settings are all that can be set.
type settings struct {
	daemon.Config
	localRead string
	relayPort int
	memory    conf.Size
	logLevel  string
	logJSON   bool
	cleanup   bool
	version   bool
}

// flags declares every setting once. The two actions are no settings and are left out of environment and file.
func (s *settings) flags() (all, actions *pflag.FlagSet) {
	all = pflag.NewFlagSet("cvland", pflag.ContinueOnError)
	all.SortFlags = false
	all.StringVar(&s.State, "state", "/var/lib/cvlan", "folder of keys and memberships, for this daemon alone")
	all.StringVar(&s.Socket, "socket", local.DefaultSocket, "socket for cvlan and other programs on this machine")
	all.StringVar(&s.Group, "operators", localapi.DefaultGroup, "group whose members may operate the daemon without being root")
	all.StringVar(&s.localRead, "local-read", "all", "who may read the state: all, or group for operators alone")
	all.IntVar(&s.MTU, "mtu", tun.DefaultMTU, "bytes of the largest packet in the networks, 1280 to 9000; the default fits every usual path")
	s.memory = tunnel.DefaultMemory
	all.Var(&s.memory, "data-memory", "memory that packets of all networks together may take; beyond it they are dropped and counted (cvlan wg show)")
	all.IntVar(&s.Workers, "workers", daemon.DefaultWorkers, "pairs of goroutines that carry a network's packets, 1 to 16; more than 1 serves many flows at once on machines with many cores, on Linux")
	all.BoolVar(&s.FIPS, "fips", false, "speak IPsec alone, with the algorithms of the Go Cryptographic Module, which must be in its FIPS mode: make build-fips, or GODEBUG=fips140=on")
	all.IntVar(&s.relayPort, "relay-port", defaultRelayPort, "UDP and TCP port on which this machine serves if an admin makes it a relay of its tenant; 0: it never does")
	all.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	all.BoolVar(&s.logJSON, "log-json", false, "write the log as JSON")
	all.String(conf.FileFlag, "", "read settings from this TOML file")
	actions = pflag.NewFlagSet("cvland", pflag.ContinueOnError)
	actions.BoolVar(&s.cleanup, "cleanup", false, "remove what a killed daemon left in the network settings, and end")
	actions.BoolVar(&s.version, "version", false, "show the version, and end")
	return all, actions
}

// load reads the command line, then environment and file, and checks everything.
func (s *settings) load(args []string, errs io.Writer) error {
	all, actions := s.flags()
	both := pflag.NewFlagSet("cvland", pflag.ContinueOnError)
	both.SortFlags = false
	both.SetOutput(errs)
	both.AddFlagSet(all)
	both.AddFlagSet(actions)
	both.Usage = func() {
		fmt.Fprintf(errs, "cvland keeps this machine in its networks; cvlan talks to it.\n\nUsage: cvland [flags]\n\n%s", both.FlagUsages())
	}
	if err := both.Parse(args); err != nil {
		return err
	}
	if both.NArg() > 0 {
		return fmt.Errorf("%.40q is not expected; cvland takes flags only: cvland --help", both.Arg(0))
	}
	both.Visit(func(f *pflag.Flag) { // tells the settings alone what the command line has given
		if all.Lookup(f.Name) != nil {
			f.Changed = false                     // the two sets share the flag, but each notes for itself what was given
			_ = all.Set(f.Name, f.Value.String()) // it has just been parsed
		}
	})
	if err := conf.Apply(all, envPrefix, defaultFile); err != nil {
		return err
	}
	return s.check()
}

func (s *settings) check() error {
	s.Level = new(slog.LevelVar)
	log, err := logx.NewAt(os.Stderr, s.Level, s.logLevel, s.logJSON)
	s.Log = log
	s.ReadGroup = s.localRead == "group"
	if !s.ReadGroup && s.localRead != "all" {
		err = errors.Join(err, fmt.Errorf("local-read %.20q: use all or group", s.localRead))
	}
	if s.MTU < minMTU || s.MTU > maxMTU {
		err = errors.Join(err, fmt.Errorf("mtu %d: use %d to %d", s.MTU, minMTU, maxMTU))
	}
	s.DataMemory = int(s.memory)
	if s.DataMemory < tunnel.LeastMemory {
		err = errors.Join(err, fmt.Errorf("data-memory %s: use 4MiB or more", s.memory.String()))
	}
	if s.FIPS {
		err = errors.Join(err, daemon.CheckFIPS())
	}
	if s.Workers < 1 || s.Workers > maxWorkers {
		err = errors.Join(err, fmt.Errorf("workers %d: use 1 to %d", s.Workers, maxWorkers))
	}
	switch {
	case s.relayPort < 0 || s.relayPort > 1<<16-1:
		err = errors.Join(err, fmt.Errorf("relay-port %d: use 1 to 65535, or 0 for none", s.relayPort))
	case s.relayPort > 0:
		s.Relay = relayHost{s.relayPort}
	}
	if s.State == "" || s.Socket == "" {
		err = errors.Join(err, errors.New("state and socket must not be empty"))
	}
	return err
}
