package cli_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cvlan/cvlan/internal/sys/svc"
)

// servicesOfScript is a service manager with units in a folder: env CVLAN_TEST_UNITS=units. What it is asked is appended to the file asked-systemd.
func servicesOfScript() *svc.Manager {
	dir := os.Getenv("CVLAN_TEST_UNITS")
	if dir == "" {
		return nil
	}
	return &svc.Manager{Dir: dir, Run: func(ctx context.Context, args ...string) (string, error) {
		if os.Getenv("CVLAN_TEST_UNITS_STUCK") != "" { // as a unit that does not become ready
			fmt.Fprintln(os.Stderr, "stuck")
			<-ctx.Done()
			return "", ctx.Err()
		}
		f, err := os.OpenFile("asked-systemd", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return "", err
		}
		defer f.Close()
		f.WriteString(strings.Join(args, " ") + "\n")
		unit := filepath.Join(dir, "cvland.service")
		if _, err := os.Stat(unit); args[0] != "show" || err != nil {
			return "LoadState=not-found\n", nil
		}
		return "LoadState=loaded\nFragmentPath=" + unit + "\nUnitFileState=enabled\nActiveState=active\nActiveEnterTimestamp=@1803902340\nMainPID=7\n", nil
	}}
}
