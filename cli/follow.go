package cli

import (
	"context"
	"time"
)

// followEvery is how often --follow asks.
const followEvery = 500 * time.Millisecond

// follow shows what there is and then what comes, until ctrl-C or an error. ask gets what came before, and returns what is new since.
func follow[T any](ctx context.Context, first T, ask func(context.Context, T) (T, error), tell func(T) error) error {
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
