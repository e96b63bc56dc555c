// Command mkman writes the manual pages of cvlan into a folder: make man.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cvlan/cvlan/cli"
	"github.com/cvlan/cvlan/cli/docgen"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/version"
)

func main() {
	out := flag.String("out", "bin/man", "the folder; pages go into man1 in it")
	flag.Parse()
	if err := write(*out); err != nil {
		fmt.Fprintln(os.Stderr, "mkman:", err)
		os.Exit(1)
	}
}

func write(out string) error {
	folder := filepath.Join(out, "man1")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	root := cli.New(&cli.Env{IO: &iox.IO{}, Getenv: func(string) string { return "" }, Now: time.Now})
	var failed error
	for name, page := range docgen.Man(root, version.BuildTime().Format(time.DateOnly)) {
		failed = errors.Join(failed, os.WriteFile(filepath.Join(folder, name), []byte(page), 0o644))
	}
	return failed
}
