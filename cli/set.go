package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newSet(env *Env) *cobra.Command {
	o := &talk{Env: env}
	var values map[string]string
	c := &cobra.Command{
		Use:   "set KEY VALUE | KEY=VALUE...",
		Short: "Change settings of this machine and its networks",
		Long: "set changes what it names and nothing else; cvlan get shows what there is. All of it is checked before anything is changed. A new value " +
			"holds at once and stays; the value default takes it back. Some settings interrupt the network for a moment; set waits until it is back. " +
			"A machine in several networks says whose settings are meant with --network. It needs the rights of an operator.",
		Example: "  sudo cvlan set port 51820\n  sudo cvlan set mtu=1400 protocol=ipsec --network office\n  sudo cvlan set port default",
		Args: func(c *cobra.Command, args []string) (err error) {
			values, err = assignments(c, args)
			return err
		},
		RunE: o.asks(func(ctx context.Context, _ []string) error { return o.set(ctx, values) }),
	}
	o.networkFlag(c, "whose settings, by name or identifier")
	o.flags(c, 30*time.Second)
	c.ValidArgsFunction = env.completeSet
	return c
}

// assignments reads KEY=VALUE several times, or KEY VALUE.
func assignments(c *cobra.Command, args []string) (map[string]string, error) {
	values := map[string]string{}
	switch {
	case len(args) == 0:
		return nil, usage(c, "KEY is missing")
	case !strings.Contains(args[0], "="):
		if len(args) == 1 {
			return nil, usage(c, "VALUE is missing")
		}
		if len(args)%2 != 0 {
			return nil, usage(c, quoted(args[len(args)-1])+" has no value")
		}
		for i := 0; i < len(args); i += 2 {
			values[args[i]] = args[i+1]
		}
	default:
		for _, a := range args {
			key, value, ok := strings.Cut(a, "=")
			if !ok || key == "" {
				return nil, usage(c, quoted(a)+": write it KEY=VALUE, as the first")
			}
			values[key] = value
		}
	}
	return values, nil
}

func (t *talk) set(ctx context.Context, values map[string]string) error {
	done, err := t.client.Set(ctx, local.SetRequest{Network: t.network, Values: values})
	if err != nil {
		return err
	}
	if err := t.back(ctx, done.Settings); err != nil {
		return err
	}
	return t.out.Write(t.IO, done, func() {
		for _, s := range done.Settings {
			whose := ""
			if s.Network != "" {
				whose = s.Network + ": "
			}
			but := ""
			if s.Instead != "" {
				but = "; " + s.Instead
			}
			t.IO.Printf("%s%s is %s%s", whose, s.Key, s.Value, but)
		}
	})
}

// back waits until the network has come back that settings have interrupted. One that is switched off, or was away before, is not waited for.
func (t *talk) back(ctx context.Context, all []local.Setting) error {
	for _, s := range all {
		if !s.Restart {
			continue
		}
		for now, err := range states(ctx, t.client) {
			if err != nil {
				return err
			}
			switch n, err := only(now, s.Network); {
			case err != nil: // it has no name before its first map
				return nil
			case n.Networks[0].State == local.Failed:
				return failed("use the new settings of "+s.Network, iox.Internal, n.Networks[0].Problem)
			case n.Networks[0].State != local.Starting:
				return nil
			}
		}
	}
	return nil
}

// completeSet completes keys, and after a key or "KEY=" its values.
func (e *Env) completeSet(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	key, _, equals := strings.Cut(typed, "=")
	pairs := len(args) > 0 && !strings.Contains(args[0], "=")
	if pairs && len(args)%2 == 1 {
		key = args[len(args)-1]
	}
	switch {
	case pairs && len(args)%2 == 1:
		return offer(c, e.valuesOf(key, ""), nil, typed)
	case equals:
		return offer(c, e.valuesOf(key, key+"="), nil, typed)
	default:
		return offer(c, e.settable, args, typed)
	}
}

// settable are the keys that set takes.
func (e *Env) settable(ctx context.Context, c *cobra.Command) (all []string) {
	for _, s := range e.settings(ctx, c) {
		if s.Flag == "" {
			all = append(all, s.Key+"\t"+s.What)
		}
	}
	return all
}

// valuesOf are the values that a setting may have.
func (e *Env) valuesOf(key, before string) nameSource {
	return func(ctx context.Context, c *cobra.Command) (all []string) {
		for _, s := range e.settings(ctx, c) {
			if s.Key != key || s.Flag != "" {
				continue
			}
			for _, v := range s.Values {
				all = append(all, before+v)
			}
			all = append(all, before+local.DefaultValue+"\t"+s.Default)
		}
		return all
	}
}
