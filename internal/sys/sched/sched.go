// Package sched tells the kernel how this process wants to be scheduled.
package sched

import "time"

// Unbounded is more than any timer is late.
const Unbounded = time.Duration(1<<63 - 1)
