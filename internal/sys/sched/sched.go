// Package sched tells the kernel how this process wants to be scheduled.
package sched
