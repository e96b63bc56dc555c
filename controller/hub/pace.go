package hub

import (
	"context"
	"time"

	"github.com/cvlan/cvlan/proto/control/pb"
)

// What a node may cost us. One that asks for more is read more slowly, and soon finds its own stream blocked: a report is told to
// every peer, a certificate is signed and noted in the audit trail.
const (
	purse  = 100 // what it may spend at once
	income = 10  // a second

	costRenew  = 100
	costReport = 10
)

func cost(f *pb.Frame) int {
	switch f.Body.(type) {
	case *pb.Frame_Renew:
		return costRenew
	case *pb.Frame_Report:
		return costReport
	case *pb.Frame_Pong:
		return 0 // the answer to our own question must not wait
	default:
		return 1
	}
}

// pace is what a node has spent. The zero pace has spent nothing.
type pace struct {
	paid time.Time // when everything spent so far will have been earned
}

// spend notes a cost and returns how long to wait until it is covered.
func (p *pace) spend(now time.Time, cost int) time.Duration {
	if p.paid.Before(now) {
		p.paid = now
	}
	p.paid = p.paid.Add(time.Duration(cost) * time.Second / income)
	return max(0, p.paid.Sub(now)-purse*time.Second/income)
}

// wait spends, and waits if need be.
func (p *pace) wait(ctx context.Context, cost int) error {
	d := p.spend(time.Now(), cost)
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &restarting
	}
}
