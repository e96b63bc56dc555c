package sqlite

import (
	"context"
	"fmt"

	"github.com/cvlan/cvlan/controller/audit"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// trailPage is how many events are in memory at once.
const trailPage = 1000

// verifyTrails follows the audit trail of every tenant, and the provider's, from its first event to the head that the tenant's row keeps, and returns
// how many events there are. The newest ones cannot be cut off unless that row is changed as well; against whoever does that helps a hash
// kept elsewhere.
func verifyTrails(ctx context.Context, r *readers) (events int, err error) {
	err = r.snapshot(ctx, func(q queryer) error {
		tenants, err := list(ctx, q, value[ident.Tenant], selectTrails)
		for _, id := range tenants {
			if err := verifyTrail(ctx, q, id, &events); err != nil {
				return fmt.Errorf("audit trail of tenant %s: %w", id, err)
			}
		}
		return err
	})
	return events, err
}

func verifyTrail(ctx context.Context, q queryer, id ident.Tenant, events *int) error {
	head, err := one(ctx, q, scanHead, selectHead, int64(id))
	if err != nil {
		return err
	}
	var last audit.Link
	for {
		page, err := list(ctx, q, scanEvent, selectEvents, int64(id), int64(last.Seq), trailPage)
		if err != nil {
			return err
		}
		if last, err = audit.Verify(id, last, page); err != nil {
			return err
		}
		*events += len(page)
		if len(page) < trailPage {
			break
		}
	}
	if last != head.last {
		return fmt.Errorf("%w: it ends with event %d, but should with %d", audit.ErrBroken, last.Seq, head.last.Seq)
	}
	return nil
}
