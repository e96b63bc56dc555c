package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/policy/acl"
)

func newPolicyEdit(s *session) *cobra.Command {
	o := &policySet{policyTalk: policyTalk{session: s}}
	c := &cobra.Command{
		Use: "edit", Short: "Edit the policy in force",
		Long: "edit opens the policy in $VISUAL or $EDITOR and puts it in force when the editor ends. What is wrong with it is shown, and you may go on editing. " +
			"If somebody else has put another policy in force meanwhile, yours is refused and kept: nothing is lost on either side.",
		Example: "  cvlan policy edit\n  EDITOR=nano cvlan policy edit --network office --comment \"guests\"",
		Args:    takes(),
		RunE:    func(c *cobra.Command, _ []string) error { return o.edit(c) },
	}
	o.flags(c)
	return c
}

// edit gets the text, lets the person change it, and puts it in force. While the person edits no talk with the controller is open. The file
// stays until its text is in force.
func (o *policySet) edit(c *cobra.Command) error {
	var p admin.Policy
	var at admin.OneNetworkIn
	if err := o.do(c, func(w *work, n admin.OneNetworkIn) (err error) {
		at = n
		p, err = w.policy(n, 0)
		return err
	}); err != nil {
		return err
	}
	if o.editor() == "" && !(o.IO.InTTY && o.IO.OutTTY) {
		return &iox.Error{Exit: iox.Usage, What: "edit the policy", Why: "there is no terminal here, and $EDITOR names no editor that needs none",
			Hint: "cvlan policy show --network " + at.Network + " > FILE, change the file, then: cvlan policy set FILE --network " + at.Network}
	}
	path, err := draft(o.Getenv("TMPDIR"), p)
	if err != nil {
		return err
	}
	o.network, o.ifMatch = at.Network, either(o.ifMatch, p.ETag)
	for {
		if err := o.openEditor(path); err != nil {
			return o.kept(path, p, err)
		}
		if c.Context().Err() != nil { // ctrl-C in an editor is the editor's: vi leaves a mode by it
			c.SetContext(context.WithoutCancel(c.Context()))
			o.IO.Heed(c.Context())
		}
		text, err := o.readPolicy(path)
		switch {
		case err != nil:
			return o.kept(path, p, err)
		case string(text) == p.Text:
			o.IO.Notef("Nothing was changed")
			return os.Remove(path)
		}
		if err = o.do(c, func(w *work, n admin.OneNetworkIn) error { return o.put(w, n, path, string(text)) }); err == nil {
			return os.Remove(path)
		}
		if !o.again(err) {
			return o.kept(path, p, err)
		}
	}
}

// draft writes the text to a file of the person's own; dir is "" for the system's usual place.
func draft(dir string, p admin.Policy) (string, error) {
	f, err := os.CreateTemp(dir, "cvlan-policy-*.hujson") // mode 0600
	if err != nil {
		return "", readFault("write", either(dir, os.TempDir()), err)
	}
	_, err = f.WriteString(p.Text)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", readFault("write", f.Name(), err)
	}
	return f.Name(), nil
}

// again asks whether to go on after the document was refused.
func (o *policySet) again(err error) bool {
	var e *iox.Error
	if !o.IO.InTTY || !o.IO.ErrTTY || !errors.As(err, &e) || e.Exit != iox.Invalid && e.Exit != iox.Denied {
		return false
	}
	o.IO.Notef("%s", e.Error())
	return o.IO.Confirm("Go on editing?")
}

// kept says where the text is that was not put in force. One that is as it was, because there is no such editor, is nothing to keep.
func (o *policySet) kept(path string, p admin.Policy, err error) error {
	if text, e := os.ReadFile(path); e == nil && string(text) == p.Text {
		return errors.Join(err, os.Remove(path))
	}
	o.IO.Notef("Your text is kept in %s", path)
	var changed *admin.Problem
	if errors.As(err, &changed) && changed.Code == admin.CodeChanged {
		return &iox.Error{Exit: iox.Invalid, What: changed.Title, Why: changed.Detail, Err: err, Hint: fmt.Sprintf(
			"see what they changed: cvlan policy diff %s --network %s\nput both together there, then: cvlan policy set %s --network %s", path, p.NetworkName, path, p.NetworkName)}
	}
	return err
}

// editor is the person's; "": the system's usual one.
func (o *policySet) editor() string { return either(o.Getenv("VISUAL"), o.Getenv("EDITOR")) }

// openEditor runs the person's editor and waits for its end. $VISUAL and $EDITOR may have arguments.
func (o *policySet) openEditor(path string) error {
	editor := o.editor()
	var run *exec.Cmd
	switch {
	case runtime.GOOS == "windows":
		words := strings.Fields(either(editor, "notepad"))
		run = exec.Command(words[0], append(words[1:], path)...)
	default:
		run = exec.Command("/bin/sh", "-c", either(editor, "vi")+` "$1"`, "cvlan", path)
	}
	run.Stdin, run.Stdout = o.IO.Direct()
	run.Stderr = o.IO.Err
	if o.out.ForScripts() {
		run.Stdout = o.IO.Err
	}
	if err := run.Run(); err != nil {
		return &iox.Error{Exit: iox.Invalid, What: "run the editor " + either(editor, "vi"), Why: err.Error(), Err: err, Hint: "name another: EDITOR=nano cvlan policy edit"}
	}
	if info, err := os.Stat(path); err == nil && info.Size() > acl.MaxSize {
		return &iox.Error{Exit: iox.Invalid, What: "read the policy", Why: "it is longer than " + iox.Bytes(acl.MaxSize)}
	}
	return nil
}
