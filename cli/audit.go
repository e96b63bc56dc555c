package cli

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newAudit(s *session) *cobra.Command {
	count := 50
	c := &cobra.Command{
		Use:     "audit",
		Short:   "Show who did what",
		Long:    "audit shows the newest lines of the tenant's audit trail, oldest first. Each line's hash covers the line before.",
		Example: "  cvlan admin audit\n  cvlan admin audit -n 0 --json > trail.json",
		Args:    takes(),
	}
	c.Flags().VarP(amount{&count, 0, noLimit}, "count", "n", "how many lines; 0: all")
	return s.tells(c, func(w *work, _ []string) error {
		all, err := w.newest(count)
		if err != nil {
			return err
		}
		return w.list("events", all, func() {
			t := iox.Table{Heads: []string{"NO", "WHEN", "WHO", "WHAT", "TO", "DETAIL"}}
			for _, e := range all {
				t.Row(strconv.FormatUint(e.Seq, 10), e.At.UTC().Format(time.DateTime), e.Actor, e.Action, e.Target, string(e.Detail))
			}
			t.Print(w.IO)
		})
	}, "events.seq")
}

// newest returns so many of the latest events; 0: all.
func (w *work) newest(count int) ([]admin.Event, error) {
	all := []admin.Event{}
	for e, err := range admin.All(func(cursor string) (admin.List[admin.Event], error) {
		l, err := admin.Call(w, w.client, admin.ListEvents, admin.ListEventsIn{InTenant: w.InTenant, Page: admin.Page{Limit: 1000, After: cursor}})
		return l.Body, err
	}) {
		if err != nil {
			return nil, err
		}
		if all = append(all, e); count > 0 && len(all) >= 2*count {
			all = append(all[:0], all[len(all)-count:]...)
		}
	}
	if count > 0 && len(all) > count {
		all = all[len(all)-count:]
	}
	return all, nil
}
