package engine

import "time"

// ControllerAhead is the controller's clock less this machine's, when it last told the time; false: it has not. It may be called from any
// goroutine.
func (e *Engine) ControllerAhead() (time.Duration, bool) { return e.clock.Ahead() }
