package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/cvlan/cvlan/cli/doctor"
)

// scriptHost is a machine that shows what a file says: env CVLAN_TEST_HOST=host.json. A cure appends itself to the file ran, and from then on
// the machine shows what is in that file with .cured after its name, if there is one; without, cures fail.
type scriptHost struct{ file string }

func hostOfScript() doctor.Host {
	if file := os.Getenv("CVLAN_TEST_HOST"); file != "" {
		return scriptHost{file}
	}
	return nil
}

func (h scriptHost) Look(_ context.Context, routes []doctor.Route) (f doctor.HostFacts) {
	b, err := os.ReadFile(h.file)
	if _, ran := os.Stat("ran"); ran == nil {
		b, err = os.ReadFile(h.file + ".cured")
	}
	if err = errors.Join(err, json.Unmarshal(b, &f)); err != nil {
		panic(err)
	}
	for i := range routes {
		for _, known := range f.Routes {
			if known.To == routes[i].To {
				routes[i].From = known.From
			}
		}
	}
	f.Routes = routes
	return f
}

func (h scriptHost) Journal(context.Context) string {
	b, _ := os.ReadFile(h.file + ".journal")
	return string(b)
}

func (h scriptHost) Run(_ context.Context, command []string) error {
	if _, err := os.Stat(h.file + ".cured"); err != nil {
		return errors.New("exit status 1: no such module")
	}
	f, err := os.OpenFile("ran", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(command, " ") + "\n")
	return errors.Join(err, f.Close())
}
