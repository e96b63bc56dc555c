package cli

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

type auditOptions struct {
	*session
	count int
	out   iox.Output
}

func newAudit(s *session) *cobra.Command {
	o := &auditOptions{session: s}
	c := &cobra.Command{
		Use:     "audit",
		Short:   "Show who did what",
		Long:    "audit shows the newest lines of the tenant's audit trail, oldest first. Each line's hash covers the line before.",
		Example: "  cvlan admin audit\n  cvlan admin audit -n 0 --json > trail.json",
		Args:    takes(),
		RunE:    func(c *cobra.Command, _ []string) error { return s.do(c, o.run) },
	}
	c.Flags().IntVarP(&o.count, "count", "n", 50, "how many lines; 0: all")
	outputFlags(c, &o.out)
	return c
}

func (o *auditOptions) run(w *work) error {
	all := []admin.Event{}
	for e, err := range admin.All(func(cursor string) (admin.List[admin.Event], error) {
		l, err := admin.Call(w, w.client, admin.ListEvents, admin.ListEventsIn{InTenant: w.InTenant, Page: admin.Page{Limit: 1000, After: cursor}})
		return l.Body, err
	}) {
		if err != nil {
			return err
		}
		if all = append(all, e); o.count > 0 && len(all) >= 2*o.count {
			all = append(all[:0], all[len(all)-o.count:]...)
		}
	}
	if o.count > 0 && len(all) > o.count {
		all = all[len(all)-o.count:]
	}
	doc := struct {
		Schema int           `json:"schema"`
		Events []admin.Event `json:"events"`
	}{adminSchema, all}
	return o.out.Write(o.IO, doc, func() {
		t := iox.Table{Heads: []string{"NO", "WHEN", "WHO", "WHAT", "TO", "DETAIL"}}
		for _, e := range all {
			t.Row(strconv.FormatUint(e.Seq, 10), e.At.UTC().Format(time.DateTime), e.Actor, e.Action, e.Target, string(e.Detail))
		}
		t.Print(o.IO)
	})
}
