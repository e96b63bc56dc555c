package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

// work is one command's talk with the controller.
type work struct {
	context.Context
	*session
	client *admin.Client
	admin.InTenant
	out    iox.Output // how the result is shown
	narrow string     // the network that completion is about; "": any
}

// do runs a command's talk within the timeout.
func (s *session) do(c *cobra.Command, run func(*work) error) error {
	t, tenant, err := s.ticket()
	if err != nil {
		return err
	}
	ctx, cancel := s.timeout.within(c.Context())
	defer cancel()
	w := &work{Context: ctx, session: s, client: admin.NewClient(t), InTenant: admin.InTenant{Tenant: tenant}}
	w.client.Asked = s.asking("the controller")
	defer w.client.Close()
	return run(w)
}

// tells completes a command that talks with the controller and shows what it hears. brief is as of outputFlags.
func (s *session) tells(c *cobra.Command, run func(w *work, args []string) error, brief ...string) *cobra.Command {
	var out iox.Output
	c.RunE = func(c *cobra.Command, args []string) error {
		return s.do(c, func(w *work) error {
			w.out = out
			return run(w, args)
		})
	}
	outputFlags(c, &out, brief...)
	return c
}

// ends completes a command that ends a thing, which it names: to people it is said to be done, such as "removed", to scripts what the command
// is called, such as "deleted". With a question, which gets the name, it asks first.
func (s *session) ends(c *cobra.Command, question, done string, end func(w *work, name string) error) *cobra.Command {
	s.tells(c, func(w *work, args []string) error {
		if err := end(w, args[0]); err != nil {
			return err
		}
		return w.show(map[string]string{c.Name() + "d": args[0]}, func() { s.IO.Printf("%s is %s", args[0], done) })
	})
	if question != "" {
		confirmed(c, func(args []string) string { return question + " " + args[0] + "?" }, "nothing was "+done, s.IO)
	}
	return c
}

// show shows what the controller said: as a document for scripts, or what human prints.
func (w *work) show(said any, human func()) error { return w.out.Write(w.IO, document{said}, human) }

// list is show for a list, which has a name in the document.
func (w *work) list(name string, all any, human func()) error {
	return w.show(map[string]any{name: all}, human)
}

// document is what the controller said with the version of its form before it. It is an object.
type document struct{ said any }

// MarshalJSON writes the object's fields after "schema".
func (d document) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d.said); err != nil {
		return nil, err
	}
	fields := bytes.TrimPrefix(bytes.TrimSpace(b.Bytes()), []byte("{"))
	comma := ","
	if len(fields) == 1 { // none
		comma = ""
	}
	return fmt.Appendf(nil, `{"schema":%d%s%s`, adminSchema, comma, fields), nil
}

// everyOf fetches all pages of a list; in is what is asked for a page.
func everyOf[T, In any, Out ~struct{ Body admin.List[T] }](w *work, op admin.Op[In, Out], in func(admin.Page) In) ([]T, error) {
	return collect(func(p admin.Page) (admin.List[T], error) {
		l, err := admin.Call(w, w.client, op, in(p))
		return struct{ Body admin.List[T] }(l).Body, err
	})
}

// collect fetches all pages of a list.
func collect[T any](page func(admin.Page) (admin.List[T], error)) ([]T, error) {
	items := []T{}
	for item, err := range admin.All(func(cursor string) (admin.List[T], error) {
		return page(admin.Page{Limit: 1000, After: cursor})
	}) {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// adminSchema is the version of the JSON documents of the commands under admin.
const adminSchema = 1
