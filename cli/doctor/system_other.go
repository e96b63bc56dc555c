//go:build !linux

package doctor

import "context"

// special adds what only one system has; there is nothing of the kind here.
func special(context.Context, *HostFacts) {}
