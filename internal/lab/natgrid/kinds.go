package main

import (
	"fmt"
	"slices"
	"strings"
)

// kind is one sort of router, by its name in the table and as the laboratory writes it.
type kind struct{ name, spec string }

var kinds = []kind{
	{"none", "none"}, {"fw", "fw"}, {"fullcone", "fullcone"}, {"addr", "addr"}, {"port", "port"}, {"port+rand", "port+rand"},
	{"linux+openinput", "linux+openinput"}, {"symaddr", "symaddr"}, {"sym", "sym"}, {"noudp", "port+noudp"},
}

// fate is what a pair of kinds must come to.
type fate uint8

const (
	punched fate = iota // direct by punching: measured with a plain prober
	guessed             // direct by guessing a port
	timed               // by an agreed start: a router that answers strangers itself gives the port away to who comes first
	relayed             // no way but the relay
)

// expect says what two kinds must come to.
func expect(a, b string) fate {
	has := func(names ...string) bool { return slices.Contains(names, a) || slices.Contains(names, b) }
	both := func(names ...string) bool { return slices.Contains(names, a) && slices.Contains(names, b) }
	switch {
	case has("noudp"), both("sym", "symaddr"):
		return relayed
	case has("linux+openinput") && has("sym", "symaddr"), both("port", "port+rand", "linux+openinput") && has("linux+openinput"):
		return timed
	case has("sym", "symaddr") && has("fw", "port", "port+rand"):
		return guessed
	}
	return punched
}

// independent reports whether two kinds both give a socket one outside port for all destinations, so that plain punching is quick.
func independent(a, b string) bool {
	eim := []string{"none", "fw", "fullcone", "addr", "port", "port+rand"}
	return slices.Contains(eim, a) && slices.Contains(eim, b)
}

// pair is two kinds by their numbers, the first not greater.
type pair struct{ a, b int }

func (p pair) String() string { return kinds[p.a].name + ":" + kinds[p.b].name }
func (p pair) fate() fate     { return expect(kinds[p.a].name, kinds[p.b].name) }

// allPairs are the unordered pairs.
func allPairs() (all []pair) {
	for b := range kinds {
		for a := range b + 1 {
			all = append(all, pair{a, b})
		}
	}
	return all
}

// readPairs reads "sym:port,fw:noudp".
func readPairs(text string) (all []pair, err error) {
	if text == "" {
		return allPairs(), nil
	}
	for one := range strings.SplitSeq(text, ",") {
		left, right, _ := strings.Cut(one, ":")
		named := func(name string) int { return slices.IndexFunc(kinds, func(k kind) bool { return k.name == name }) }
		p := pair{named(left), named(right)}
		if p.a < 0 || p.b < 0 {
			return nil, fmt.Errorf("read the pairs: %q is not two kinds with a colon between; the kinds are %s", one, strings.Join(names(), " "))
		}
		if p.a > p.b {
			p.a, p.b = p.b, p.a
		}
		all = append(all, p)
	}
	return all, nil
}

func names() (all []string) {
	for _, k := range kinds {
		all = append(all, k.name)
	}
	return all
}
