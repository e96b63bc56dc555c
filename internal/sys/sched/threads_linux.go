package sched

import (
	"fmt"
	"os"
	"strconv"
)

// passes bounds how often threads that were made meanwhile are looked for.
const passes = 5

// everyThread calls change for all threads of this process, again and again until it has changed none: those that come later are made by one that
// was changed.
func everyThread(change func(id int) (changed bool, err error)) error {
	for range passes {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list this process's threads: %w", err)
		}
		again := false
		for _, t := range tasks {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				continue
			}
			changed, err := change(id)
			if err != nil {
				return err
			}
			again = again || changed
		}
		if !again {
			return nil
		}
	}
	return nil
}
