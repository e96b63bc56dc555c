package acl

import (
	"strings"
	"testing"
)

func TestFormattingKeepsCommentsAndMeaning(t *testing.T) {
	const messy = "// ours\n{\"acls\":[{\"action\":\"accept\",\"src\":[\"*\"],\n\"dst\":[\"*:*\"]} /* all */ ]\n}"
	src := []byte(messy)
	neat, err := Format(src)
	if err != nil || string(src) != messy {
		t.Fatal(string(src), err)
	}
	for _, want := range []string{"// ours", "/* all */", "\t\"acls\": [", `"src":    ["*"]`} {
		if !strings.Contains(string(neat), want) {
			t.Errorf("%q is missing in\n%s", want, neat)
		}
	}
	again, err := Format(neat)
	if err != nil || string(again) != string(neat) {
		t.Errorf("not stable: %s, %v", again, err)
	}
	a, _ := Parse([]byte(messy), Options{})
	b, _ := Parse(neat, Options{})
	if len(a.Rules) != 1 || len(b.Rules) != 1 {
		t.Error("the meaning changed")
	}
	if _, err := Format([]byte("{")); err == nil {
		t.Error("what is no JSON passed")
	}
}
