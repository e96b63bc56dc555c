package main

import (
	"slices"
	"strings"
)

// kind is a kind of work.
type kind struct{ name, colour string }

var (
	cipher   = kind{"cipher: ChaCha20-Poly1305", "#d9822b"}
	copying  = kind{"kernel: copying between it and the program", "#a82a2a"}
	waking   = kind{"kernel: waking and switching tasks", "#7157d9"}
	network  = kind{"kernel: network, memory and everything else", "#2b95d6"}
	runtimes = kind{"Go: scheduler, poller, memory", "#8a9ba8"}
	program  = kind{"the program's own code", "#29a634"}

	kinds = []kind{cipher, copying, waking, network, runtimes, program}
)

// kindOf tells what kind of work a function is by its name.
func (f *frame) kindOf() kind {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(f.name, w) })
	}
	switch {
	case has("chacha20", "poly1305"):
		return cipher
	case f.kernel && has("_copy_to_iter", "_copy_from_iter", "copy_user", "rep_movs", "memcpy"):
		return copying
	case f.kernel && has("finish_task_switch", "try_to_wake_up", "schedule", "futex", "raw_spin_unlock_irqrestore", "ep_poll", "pick_next", "enqueue_", "dequeue_"):
		return waking
	case f.kernel:
		return network
	case strings.HasPrefix(f.name, "runtime.") || has("internal/runtime", "internal/poll", "vdso", "syscall."):
		return runtimes
	}
	return program
}

// share is the part of all time that a kind of work took itself.
type share struct {
	kind kind
	part float64
}

func (f *frame) shares() []share {
	spent := map[kind]int{}
	var walk func(*frame)
	walk = func(c *frame) {
		spent[c.kindOf()] += c.self
		for _, d := range c.calls {
			walk(d)
		}
	}
	for _, c := range f.calls {
		walk(c)
	}
	var all []share
	for _, k := range kinds {
		all = append(all, share{k, float64(spent[k]) / float64(max(f.total, 1))})
	}
	return all
}
