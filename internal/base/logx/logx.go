// Package logx names the attributes of every log line, so that one search finds a node in the logs of all components.
//
// Messages are static text; what varies is an attribute with a key from here. Keys and secrets are never attributes; addresses
// of peers appear at Debug only.
package logx

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Attribute keys.
const (
	Tenant    = "tenant"
	Network   = "network"
	Node      = "node"
	Name      = "name"
	Err       = "err"
	Hint      = "hint"
	Addr      = "addr"
	Peer      = "peer"
	Interface = "interface"
	Path      = "path"
	Reason    = "reason"
	Transport = "transport"
	Took      = "took"
	Count     = "count"
	Version   = "version"
	Cursor    = "cursor"
)

// New returns a logger that writes to w at the level named: debug, info, warn or error; in JSON or as text.
func New(w io.Writer, level string, json bool) (*slog.Logger, error) {
	return NewAt(w, new(slog.LevelVar), level, json)
}

// NewAt is New, but the level is put into l, through which it can be changed later.
func NewAt(w io.Writer, l *slog.LevelVar, level string, json bool) (*slog.Logger, error) {
	if err := l.UnmarshalText([]byte(strings.ToUpper(level))); err != nil {
		return nil, fmt.Errorf("log level %.20q: unknown; use debug, info, warn or error", level)
	}
	o := &slog.HandlerOptions{Level: l}
	if json {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}
