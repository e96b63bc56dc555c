// Command loadgen puts load on a network of the laboratory and prints what came through as JSON.
//
//	loadgen serve -listen 203.0.113.1:5201
//	loadgen tcp -to 203.0.113.1:5201 -streams 4 -for 5s [-reverse]
//	loadgen ping -to 203.0.113.1:5201 -count 100 -gap 10ms [-size 64]
//	loadgen udp -to 203.0.113.1:5201 -rate 50000 -for 5s [-size 172]
//	loadgen flood -to 203.0.113.1:51820 -key PUBLIC -rate 20000 -for 5s [-strangers 1024] [-ports 128]
//
// The flood says "flooding" on standard error when it begins, and ends early and well by SIGTERM.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, diag io.Writer) int {
	if len(args) == 0 {
		fmt.Fprintln(diag, "loadgen: what to do is missing; say serve, tcp, ping, udp or flood")
		return 2
	}
	var result any
	var err error
	flags := flag.NewFlagSet("loadgen "+args[0], flag.ContinueOnError)
	flags.SetOutput(diag)
	switch args[0] {
	case "serve":
		err = serve(ctx, flags, args[1:], out)
	case "tcp":
		result, err = tcp(ctx, flags, args[1:])
	case "ping":
		result, err = ping(ctx, flags, args[1:])
	case "udp":
		result, err = udp(ctx, flags, args[1:])
	case "flood":
		result, err = flood(ctx, flags, args[1:], diag)
	default:
		err = usage{fmt.Errorf("no command is called %q; say serve, tcp, ping, udp or flood", args[0])}
	}
	if err == nil && result != nil {
		err = json.NewEncoder(out).Encode(result)
	}
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(usage)):
		fmt.Fprintln(diag, "loadgen:", err)
		return 2
	}
	fmt.Fprintf(diag, "loadgen: %s: %v\n", args[0], err)
	return 1
}

// usage is an error of the one who typed the command.
type usage struct{ error }

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return usage{err}
	}
	if flags.NArg() > 0 {
		return usage{fmt.Errorf("%q is not expected", flags.Arg(0))}
	}
	return nil
}

func serve(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	addr := flags.String("listen", ":5201", "address and port, TCP and UDP")
	if err := parse(flags, args); err != nil {
		return err
	}
	s, err := load.Listen(*addr)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "listening on", s.Addr())
	return s.Run(ctx)
}

func tcp(ctx context.Context, flags *flag.FlagSet, args []string) (any, error) {
	var s load.Streams
	flags.StringVar(&s.To, "to", "", "address and port of the server")
	flags.IntVar(&s.Streams, "streams", 1, "parallel connections")
	flags.DurationVar(&s.For, "for", 0, "how long (default 5s)")
	flags.BoolVar(&s.Reverse, "reverse", false, "the server sends")
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	return load.TCP(ctx, s)
}

func ping(ctx context.Context, flags *flag.FlagSet, args []string) (any, error) {
	var p load.Pings
	flags.StringVar(&p.To, "to", "", "address and port of the server")
	flags.IntVar(&p.Count, "count", 10, "how many packets")
	flags.DurationVar(&p.Gap, "gap", 0, "time between two (default 10ms)")
	flags.IntVar(&p.Size, "size", 64, "bytes of payload")
	flags.DurationVar(&p.Wait, "wait", 0, "for the last answers (default 1s)")
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	return load.Ping(ctx, p)
}

func udp(ctx context.Context, flags *flag.FlagSet, args []string) (any, error) {
	var p load.Packets
	flags.StringVar(&p.To, "to", "", "address and port of the server")
	flags.Float64Var(&p.Rate, "rate", 1000, "packets a second")
	flags.DurationVar(&p.For, "for", 0, "how long (default 5s)")
	flags.IntVar(&p.Size, "size", 0, "bytes of payload (default 172)")
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	return load.UDP(ctx, p)
}

func flood(ctx context.Context, flags *flag.FlagSet, args []string, diag io.Writer) (any, error) {
	f := load.Flood{Begun: func() { fmt.Fprintln(diag, "flooding") }}
	flags.StringVar(&f.To, "to", "", "address and WireGuard port")
	flags.TextVar(&f.Key, "key", key.WGPublic{}, "public key of the receiver")
	flags.Float64Var(&f.Rate, "rate", 0, "initiations a second (default 20000)")
	flags.DurationVar(&f.For, "for", 0, "how long (default 5s)")
	flags.IntVar(&f.Strangers, "strangers", 0, "different senders' keys (default 1024)")
	flags.IntVar(&f.Ports, "ports", 0, "ports to send from (default 128)")
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	return load.Initiate(ctx, f)
}
