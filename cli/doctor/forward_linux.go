package doctor

import (
	"context"
	"encoding/json"
	"os/exec"
	"slices"
)

// dropping asks nftables, which also has what iptables of today sets, for chains that drop what the machine passes on. Only root may ask.
func dropping(ctx context.Context, interfaces map[string]int) []Chain {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nft", "--json", "list", "ruleset").Output()
	if err != nil {
		return nil
	}
	return chains(out, interfaces)
}

// chains reads a ruleset in the JSON of libnftables(5).
func chains(ruleset []byte, interfaces map[string]int) (all []Chain) {
	var doc struct {
		Nftables []struct {
			Chain *struct{ Family, Table, Name, Hook, Policy string }
			Rule  *struct {
				Family, Table, Chain string
				Expr                 json.RawMessage
			}
		}
	}
	if json.Unmarshal(ruleset, &doc) != nil {
		return nil
	}
	for _, o := range doc.Nftables {
		if c := o.Chain; c != nil && c.Hook == "forward" && c.Policy == "drop" {
			all = append(all, Chain{Family: c.Family, Table: c.Table, Name: c.Name})
		}
	}
	for i := range all {
		c := &all[i]
		for _, o := range doc.Nftables {
			if o.Chain != nil && o.Chain.Family == c.Family && o.Chain.Table == c.Table && o.Chain.Name == dockerUser {
				c.Docker = true
			}
			r := o.Rule
			if r == nil || r.Family != c.Family || r.Table != c.Table || r.Chain != c.Name && r.Chain != dockerUser {
				continue
			}
			var expr any
			_ = json.Unmarshal(r.Expr, &expr) // it was read once
			c.Names = append(c.Names, named(expr, interfaces)...)
		}
		slices.Sort(c.Names)
		c.Names = slices.Compact(c.Names)
	}
	return all
}

// named returns the interfaces that stand anywhere in an expression.
func named(expr any, interfaces map[string]int) (all []string) {
	switch v := expr.(type) {
	case string:
		if _, ok := interfaces[v]; ok {
			all = append(all, v)
		}
	case []any:
		for _, e := range v {
			all = append(all, named(e, interfaces)...)
		}
	case map[string]any:
		for _, e := range v {
			all = append(all, named(e, interfaces)...)
		}
	}
	return all
}
