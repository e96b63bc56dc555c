package main

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
)

// frame is a function in a stack, with everything that was called from there.
type frame struct {
	name   string
	kernel bool
	total  int // samples in it or below
	self   int // samples in it
	calls  []*frame
}

// Bounds of what is read.
const (
	maxLine  = 1 << 16
	maxDepth = 256
)

// read folds the stacks of perf script into a tree. A sample is a line that does not begin with white space, then a line a function, the
// innermost first, then an empty line.
func read(r io.Reader) (*frame, error) {
	root := &frame{name: "all"}
	var stack []frame
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		line := s.Text()
		switch {
		case strings.TrimSpace(line) == "":
			root.add(stack)
			stack = stack[:0]
		case line[0] == ' ' || line[0] == '\t':
			if f, ok := parse(line); ok && len(stack) < maxDepth {
				stack = append(stack, f)
			}
		}
	}
	root.add(stack)
	if s.Err() == nil && root.total == 0 {
		return nil, errors.New("there are no stacks; record with -g")
	}
	return root, s.Err()
}

// parse takes "  address function+offset (object)" apart.
func parse(line string) (frame, bool) {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return frame{}, false
	}
	name := strings.Join(fields[1:len(fields)-1], " ")
	if i := strings.LastIndex(name, "+0x"); i > 0 {
		name = name[:i]
	}
	object := fields[len(fields)-1]
	name = strings.TrimSuffix(strings.ReplaceAll(name, "github.com/cvlan/cvlan/internal/", ""), ".abi0")
	return frame{name: name, kernel: strings.Contains(object, "kernel") || strings.HasPrefix(object, "([")}, true
}

// add counts one stack, innermost first.
func (f *frame) add(stack []frame) {
	if len(stack) == 0 {
		return
	}
	f.total++
	for _, s := range slices.Backward(stack) {
		f = f.call(s)
		f.total++
	}
	f.self++
}

func (f *frame) call(s frame) *frame {
	for _, c := range f.calls {
		if c.name == s.name {
			return c
		}
	}
	c := &frame{name: s.name, kernel: s.kernel}
	f.calls = append(f.calls, c)
	return c
}
