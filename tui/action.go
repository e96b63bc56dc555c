package tui

import (
	"context"
	"time"
)

// An action is what a screen wants done; nil is nothing. It is one of the types below, or work.
type action any

type (
	// quit ends the program.
	quit struct{}
	// show goes to a screen.
	show struct{ at place }
	// clip puts a text on the clipboard of the terminal, wherever that is (OSC 52).
	clip struct{ text string }
	// open shows a peer in full.
	open struct {
		id   peerID
		ping bool
	}
	// say shows a word in the last line for a while.
	say struct {
		text string
		bad  bool
	}
	// ask wants a yes before something is done.
	ask struct {
		question string
		lines    []string // what it is about, below the question
		then     action
	}
	// choose wants one of several chosen.
	choose struct {
		title   string
		choices []string
		at      int
		then    func(i int) action
	}
	// request wants a line typed before something is done.
	request struct {
		title, text string
		lines       []string // what may be typed, below the title
		then        func(text string) action
	}
	// both does one after the other.
	both []action
)

// work is an action that takes its time: the root runs it away from the screen and takes in what it returns.
type work interface {
	run(ctx context.Context, c *Config) outcome
}

// outcome is how work went. The world or a screen learns of it by take.
type outcome interface {
	take(m *Model) action
}

// returned is an outcome and the controller of when the work began. Where the person has gone on with another login since, what the
// controller before has said comes to nothing.
type returned struct {
	outcome
	by Controller
}

func (r returned) take(m *Model) action {
	if _, told := r.outcome.(byController); told && r.by != m.config.Controller {
		return nil
	}
	return r.outcome.take(m)
}

// byController marks an outcome that is the word of a controller.
type byController interface{ byController() }

type theirs struct{}

func (theirs) byController() {}

// patience is how long work may take.
const patience = 20 * time.Second

// oops makes a notice of an error, with its hint if it has one.
func oops(what string, err error) action {
	text := what + ": " + cleanText(reason(err))
	if h := hint(err); h != "" {
		text += "; " + cleanText(h)
	}
	return say{text, true}
}
