package doctor

import (
	"context"
	"encoding/json"
	"os/exec"
	"strconv"
)

// routingRules asks for those of both families that somebody has added. Anybody may ask.
func routingRules(ctx context.Context) (all []Rule) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, family := range []string{"-4", "-6"} {
		if out, err := exec.CommandContext(ctx, "ip", "-json", family, "rule", "show").Output(); err == nil {
			all = append(all, readRules(out)...)
		}
	}
	return all
}

// readRules reads the JSON of ip-rule(8), and leaves out what every system has.
func readRules(text []byte) (all []Rule) {
	var rules []struct {
		Priority int
		Table    string
		Mark     string `json:"fwmark"`
	}
	if json.Unmarshal(text, &rules) != nil {
		return nil
	}
	for _, r := range rules {
		mark, _ := strconv.ParseUint(r.Mark, 0, 32)
		if mark == 0 && (r.Table == "local" || r.Table == "main" || r.Table == "default") {
			continue
		}
		all = append(all, Rule{Priority: r.Priority, Table: r.Table, Mark: uint32(mark)})
	}
	return all
}
