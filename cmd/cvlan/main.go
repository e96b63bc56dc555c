// Command cvlan joins this machine to networks, shows how they do, and looks after them.
package main

import (
	"os"

	"github.com/cvlan/cvlan/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
