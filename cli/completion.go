package cli

import (
	"io"

	"github.com/spf13/cobra"
)

// bareBash lets the script do without the package bash-completion, which small machines do not have. Words end at blanks alone.
const bareBash = `
if ! declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
    __cvlan_init_completion()
    {
        COMPREPLY=()
        local IFS=$' \t\n' line="${COMP_LINE:0:COMP_POINT}"
        read -r -a words <<<"$line"
        if [[ $line == *[[:space:]] ]]; then
            words+=("")
        fi
        cword=$((${#words[@]} - 1))
        cur=${words[cword]}
        prev=${words[cword - 1]}
    }
fi
`

func newCompletion(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print a script that completes commands in a shell",
		Long:      "completion prints a script for the shell named. Packages install it already.",
		Example:   "  source <(cvlan completion bash)\n  cvlan completion fish > ~/.config/fish/completions/cvlan.fish\n  cvlan completion powershell | Out-String | Invoke-Expression",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      takes("the shell"),
		RunE: func(c *cobra.Command, args []string) error {
			root, out := c.Root(), env.IO.Out
			switch args[0] {
			case "bash":
				if err := root.GenBashCompletionV2(out, true); err != nil {
					return err
				}
				_, err := io.WriteString(out, bareBash)
				return err
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
