package tray

import "errors"

// Why a panel shows no icon, or no more. Each panel wraps them with its reason.
var (
	ErrNoSession = errors.New("there is no desktop session here")
	ErrNoPlace   = errors.New("this desktop has no place for icons")
	ErrRunning   = errors.New("a tray of this session runs already")
	ErrEnded     = errors.New("the desktop session has ended")
)
