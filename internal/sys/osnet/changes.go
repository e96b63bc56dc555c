package osnet

import (
	"context"
	"log/slog"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
)

// quiet is how long changes are collected before they are told: a link that comes up brings a dozen messages.
const quiet = 200 * time.Millisecond

// OwnProtocol is the origin (RTPROT) of routes that come and go with peers, and do not change where this machine is.
const OwnProtocol = 119

// watcher is the system's source of news about links, addresses and routes.
type watcher interface {
	// next waits until something has changed. After an error it may be called again.
	next() error
	// close ends next.
	close() error
}

// settle tells, on the channel that it returns, once about all that changed within quiet. The channel holds one telling: a reader
// that is slow loses none. It is closed when ctx is done, and the watcher with it.
func settle(ctx context.Context, w watcher, log *slog.Logger) <-chan struct{} {
	news, told := make(chan struct{}, 1), make(chan struct{}, 1)
	go func() {
		defer close(news)
		for {
			err := w.next()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				log.Debug("missed some changes of the network", logx.Err, err)
				pause(ctx, quiet) // whatever is wrong, do not spin on it
			}
			poke(news)
		}
	}()
	go func() {
		defer close(told)
		stop := context.AfterFunc(ctx, func() { w.close() })
		defer stop()
		for range news {
			pause(ctx, quiet)
			select {
			case <-news:
			default:
			}
			poke(told)
		}
	}()
	return told
}

// poke leaves one token.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
