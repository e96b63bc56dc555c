package cli

import (
	"github.com/spf13/cobra"
)

func newCompletion(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print a script that completes commands in a shell",
		Long:      "completion prints a script for the shell named. Packages install it already.",
		Example:   "  source <(cvlan completion bash)\n  cvlan completion fish > ~/.config/fish/completions/cvlan.fish",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      takes("the shell"),
		RunE: func(c *cobra.Command, args []string) error {
			root, out := c.Root(), env.IO.Out
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return usage(c, "there is no completion for "+quoted(args[0])+": use bash, zsh, fish or powershell")
		},
	}
}
