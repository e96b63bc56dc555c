package cli

import (
	"context"
	"time"

	"github.com/cvlan/cvlan/cli/iox"
)

// followEvery is how often --follow asks.
const followEvery = 500 * time.Millisecond

// follow shows what there is and then what comes, until ctrl-C, an error, or nobody reads on. ask gets what came before, and returns what is new since.
func follow[T any](ctx context.Context, io *iox.IO, first T, ask func(context.Context, T) (T, error), tell func(T) error) error {
	defer io.HoldReader()()
	for now := first; ; {
		if err := tell(now); err != nil {
			return err
		}
		if !pause(ctx, followEvery) {
			return ctx.Err()
		}
		next, err := ask(ctx, now)
		if err != nil {
			return err
		}
		now = next
	}
}
