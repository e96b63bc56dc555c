package tui

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Config is what the interface needs from outside.
type Config struct {
	Daemon     Daemon
	Controller Controller // nil: nobody is logged in to one
	// NoController says why there is none, and what to type.
	NoController string
	Logins       []Login // that are stored
	Login        string  // which of them Controller is; "": none
	// LogIn goes on with another of the logins.
	LogIn func(name string) (Controller, error)
	// Examine finds out what is wrong with this machine; whole also asks relays and routers, for up to three seconds. Cure runs what a
	// finding says would mend it.
	Examine func(ctx context.Context, whole bool) Diagnosis
	Cure    func(ctx context.Context, command []string) error
	// QR draws a text as a QR code, in lines of blocks. It fails for a text that is too long.
	QR  func(text string) ([]string, error)
	Now func() time.Time
	In  io.Reader
	Out io.Writer
	Env []string // of the process, for what the terminal can do
}

// frames is how often a second the renderer looks whether there is something to draw. It looks all the time, and each look wakes the
// process, which is most of what an idle interface costs: 20 are 50 ms at most from a key to the screen, and a sixth cheaper than 30.
const frames = 20

// Run shows the interface until the person quits or ctx ends; signals that end a program are the caller's to turn into the end of ctx,
// whose error it then returns; the one that stops a program for a while gives the terminal back first. When it returns, nothing of it runs any
// more and the terminal is as it was.
func Run(ctx context.Context, c Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := make(chan news)
	f := &follower{daemon: c.Daemon, now: c.Now, out: out, broken: make(chan struct{}, 1)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		f.follow(ctx)
	}()
	m := newModel(ctx, &c, out)
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithInput(c.In), tea.WithOutput(c.Out), tea.WithEnvironment(c.Env), tea.WithFPS(frames))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stopAndGoOn(ctx, p, m.stops)
	}()
	_, err := p.Run()
	ended := ctx.Err()
	cancel()
	<-gone
	<-stopped
	if ended != nil && (errors.Is(err, tea.ErrProgramKilled) || errors.Is(err, context.Canceled)) {
		return ended
	}
	return err
}

// settled is how long what draws is given to end once the terminal is given back: it stops its clock by itself, and would stop the next one if
// it came to that only after the halt.
const settled = 20 * time.Millisecond

// stopAndGoOn gives the terminal back and stops the program, each time that somebody wants that, and draws again when a shell has it go on.
func stopAndGoOn(ctx context.Context, p *tea.Program, asked chan os.Signal) {
	defer hearStops(asked)()
	for {
		select {
		case <-asked:
			if stoppable() && p.ReleaseTerminal() == nil && pause(ctx, settled) {
				halt()
				_ = p.RestoreTerminal() // if that fails, so does what is drawn next, and the program ends
			}
		case <-ctx.Done():
			return
		}
	}
}
