// Command flame draws a flame graph, as SVG on standard output, of the stacks that `perf script` prints:
//
//	perf script -i profiles/cvland-a.perf | flame -title "cvland, sending" > cvland-a.svg
//
// A frame is as wide as the time that was spent in it and what it called; colours say what kind of work it is. With -table it prints
// how much time each kind took instead.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	title := flag.String("title", "", "what the picture shows")
	table := flag.Bool("table", false, "print the shares of each kind of work, no picture")
	flag.Parse()
	root, err := read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "flame: read what perf script prints:", err)
		os.Exit(1)
	}
	if *table {
		for _, s := range root.shares() {
			fmt.Printf("%5.1f %%  %s\n", 100*s.part, s.kind.name)
		}
		return
	}
	if err := draw(os.Stdout, root, *title); err != nil {
		fmt.Fprintln(os.Stderr, "flame:", err)
		os.Exit(1)
	}
}
