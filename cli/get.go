package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/words"
)

func newGet(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "get [KEY]",
		Short: "Show what can be set, and how it is set",
		Long: "get shows every setting of this machine and of its networks: its value, what has come of it where the value leaves that open, and what it " +
			"means. What somebody has set is marked with *. With a key it prints that value alone. Settings that only the daemon's own flags or file " +
			"change are shown with the flag of cvland.",
		Example: "  cvlan get\n  cvlan get port --network office",
		Args:    atMost(1),
		RunE:    o.asks(func(ctx context.Context, args []string) error { return o.get(ctx, args) }),
	}
	o.networkFlag(c, "only this network's, by name or identifier")
	o.flags(c, 10*time.Second, "settings.key")
	completesArgs(c, false, env.settingKeys)
	return c
}

func (t *talk) get(ctx context.Context, args []string) error {
	all, err := t.narrowed(ctx)
	if err != nil {
		return err
	}
	shown := all
	if len(args) == 1 {
		shown = slices.DeleteFunc(slices.Clone(all), func(s local.Setting) bool { return s.Key != args[0] })
		if len(shown) == 0 {
			return noSetting(args[0], all)
		}
	}
	return t.out.Write(t.IO, local.Settings{Schema: local.Schema, Settings: shown}, func() {
		if len(args) == 1 && len(shown) == 1 {
			t.IO.Printf("%s", shown[0].Value)
			return
		}
		printSettings(t.IO, shown)
	})
}

// narrowed returns the machine's settings and its networks', of these only the one's that was named, by whatever name.
func (t *talk) narrowed(ctx context.Context) ([]local.Setting, error) {
	all, err := t.client.Settings(ctx)
	if err != nil || t.network == "" {
		return all.Settings, err
	}
	s, err := t.status(ctx)
	if err != nil {
		return nil, err
	}
	name := either(s.Networks[0].Name, s.Networks[0].ID)
	return slices.DeleteFunc(all.Settings, func(s local.Setting) bool { return s.Network != "" && s.Network != name }), nil
}

func noSetting(key string, all []local.Setting) error {
	e := &iox.Error{Exit: iox.NotFound, What: "get " + iox.Clean(key), Why: "there is no such setting", Hint: "see what there is: cvlan get"}
	var keys []string
	for _, s := range all {
		keys = append(keys, s.Key)
	}
	if near := words.Near(key, keys); near != "" {
		e.Hint = "did you mean: cvlan get " + near
	}
	return e
}

func printSettings(o *iox.IO, all []local.Setting) {
	t := iox.Table{Heads: []string{"SETTING", "NETWORK", "VALUE", "WHAT IT IS"}}
	for _, s := range all {
		value, style := s.Value, iox.Plain
		if now := cmp.Or(s.InUse, s.Instead); now != "" {
			value += " (" + now + ")"
		}
		if s.Set {
			value, style = value+" *", iox.Bold
		}
		what := s.What
		if s.Flag != "" {
			what += "; cvland " + s.Flag
		}
		t.Row(s.Key, s.Network, iox.Cell(style, value), what)
	}
	t.Print(o)
}

// settingKeys are what get takes; settingWords what set takes: the keys, each with what it is.
func (e *Env) settingKeys(ctx context.Context, c *cobra.Command) (all []string) {
	for _, s := range e.settings(ctx, c) {
		all = append(all, s.Key+"\t"+s.What)
	}
	return slices.Compact(all)
}

func (e *Env) settings(ctx context.Context, c *cobra.Command) []local.Setting {
	client := e.daemon(c)
	defer client.Close()
	all, _ := client.Settings(ctx) // without an answer there is nothing to complete
	slices.SortStableFunc(all.Settings, func(a, b local.Setting) int { return strings.Compare(a.Key, b.Key) })
	return slices.CompactFunc(all.Settings, func(a, b local.Setting) bool { return a.Key == b.Key })
}
