// Command policy measures the policy engine at the size that its promises are made for: 100,000 nodes, 200 groups, 500 rules; and a filter of
// 1,000 rules with 10,000 prefixes. It prints FIGURE lines, medians of several runs, and needs neither root nor a laboratory.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/lab/figure"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/policy/explain"
)

func main() {
	runs := flag.Int("runs", 5, "how often each figure is taken")
	only := flag.String("only", "", "crowd or filter: one part of the figures")
	flag.Parse()
	if err := run(*runs, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench policy:", err)
		os.Exit(1)
	}
}

// report takes a figure several times and prints it.
func report(runs int, name, unit string, take func() float64) {
	var all []float64
	for range runs {
		all = append(all, take())
	}
	figure.Spread(os.Stdout, name, unit, all)
}

// milliseconds is how long f takes.
func milliseconds(f func()) float64 {
	start := time.Now()
	f()
	return float64(time.Since(start)) / float64(time.Millisecond)
}

func run(runs int, only string) error {
	if only != "filter" {
		if err := crowded(runs); err != nil {
			return err
		}
	}
	if only != "crowd" {
		return filters(runs)
	}
	return nil
}

// crowded measures documents, compiler and explanation.
func crowded(runs int) error {
	c := newCrowd()
	doc, problems := acl.Parse([]byte(c.text), acl.Options{})
	changed, problems2 := acl.Parse([]byte(strings.Replace(c.text, `"acls": [`, `"acls": [{"src": ["group:g7"], "dst": ["tag:t3:99"]},`, 1)), acl.Options{})
	if doc == nil || changed == nil {
		return fmt.Errorf("the document: %v %v", problems, problems2)
	}
	fmt.Printf("%d nodes, %d groups, %d rules, %d bytes of text\n", len(c.nodes), len(doc.Groups), len(doc.Rules), len(c.text))
	report(runs, "parse_100k_ms", "ms", func() float64 { return milliseconds(func() { acl.Parse([]byte(c.text), acl.Options{}) }) })
	var n *compile.Network
	report(runs, "compile_100k_ms", "ms", func() float64 {
		return milliseconds(func() {
			n = compile.New(doc)
			n.Load(c.nodes)
		})
	})
	fmt.Println(n.Classes(), "classes")
	var told []ident.Node
	turn := 0
	report(runs, "node_change_100k_ms", "ms", func() float64 {
		x := c.nodes[10]
		turn++
		x.Tags = []string{fmt.Sprintf("tag:t%d", turn%2)}
		return milliseconds(func() { told = n.Put(x, told[:0]) })
	})
	fmt.Println(len(told), "nodes concerned")
	report(runs, "edit_100k_ms", "ms", func() float64 { return milliseconds(func() { _, told = n.Replace(changed, told[:0]) }) })
	fmt.Println(len(told), "nodes concerned")
	report(runs, "plan_100k_ms", "ms", func() float64 {
		turn++
		return milliseconds(func() {
			p, _ := n.Plan(c.nodes[turn*7919%len(c.nodes)].ID, 1)
			p.At(time.Now())
		})
	})
	report(runs, "charter_100k_ms", "ms", func() float64 {
		turn++
		return milliseconds(func() { n.Charter(uint32(turn*31%n.Classes()), 1).Encode() })
	})
	report(runs, "explain_ms", "ms", func() float64 {
		turn++
		a, b := c.nodes[turn*7919%len(c.nodes)], c.nodes[turn*104729%len(c.nodes)]
		return milliseconds(func() {
			explain.Explain(n, explain.Question{Src: compile.Side{Node: a}, Dst: compile.Side{Node: b}, Service: 6<<16 | 443, At: time.Now()})
		})
	})
	return nil
}
