package docgentest

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

func tree() *cobra.Command {
	root := &cobra.Command{Use: "prog"}
	root.PersistentFlags().String("socket", "", "")
	set := &cobra.Command{Use: "set KEY VALUE", Aliases: []string{"put"}}
	set.Flags().BoolP("all", "a", false, "")
	set.Flags().StringP("file", "f", "", "")
	user := &cobra.Command{Use: "user"}
	user.AddCommand(&cobra.Command{Use: "list"}, &cobra.Command{Use: "delete LOGIN"})
	root.AddCommand(set, user)
	return root
}

func TestWhatDoesNotExistIsFound(t *testing.T) {
	for line, want := range map[string]string{
		"set x 1 --all":                     "",
		"set x 1 --al":                      "prog set has no flag --al",
		"set -af file x":                    "",
		"set -x":                            "prog set has no flag -x",
		"set -fx":                           "", // the value is x
		"put x":                             "",
		"--socket user set x":               "", // the socket is called user
		"user list | grep --no-such":        "",
		"user list; others --no-such":       "",
		"user ls":                           `prog user has no command "ls"`,
		"user list|delete":                  "",
		"user list|drop":                    `prog user has no command "drop"`,
		"user NAME":                         "",
		"usr list":                          `prog has no command "usr"`,
		"user list, and then --no-such":     "",
		"user delete LOGIN --socket=x --no": "prog user delete has no flag --no",
		"help user":                         "",
	} {
		if got := Misread(tree(), line, true); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if why := Misread(tree(), "speaks for itself", false); why != "" {
		t.Error("a sentence is read as a command:", why)
	}
}

func TestLinesAreFoundWhereTheyAreTyped(t *testing.T) {
	for text, want := range map[string][]string{
		"do it anew: prog user list":         {"user list"},
		"prog user list && sudo prog set x":  {"user list && sudo prog set x", "set x"},
		"usermod -aG prog ann":               nil,
		"subprog user":                       nil,
		"what prog user does":                nil,
		"log in, then prog user\nprog set x": {"user", "set x"},
	} {
		if got := lines("prog", text, false); !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := lines("prog", "ssh $(prog user list)", true); !slices.Equal(got, []string{"user list)"}) {
		t.Errorf("in code: %q", got)
	}
}
