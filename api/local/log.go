package local

import (
	"context"
	"net/http"
)

// GetLog shows the daemon's latest log lines. They name peers, so it asks for more than Read.
var GetLog = Op[None, Log]{Route{http.MethodGet, "/v1/log", Operate, false, "Show the daemon's latest log lines"}}

// Log answers it. Debug lines are not in it, and with them no peer's address.
type Log struct {
	Schema    int      `json:"schema"`
	Lines     []string `json:"lines"`     // as the daemon wrote them, the oldest first
	Forgotten uint64   `json:"forgotten"` // lines before them that there was no room for
}

// Log returns the daemon's latest log lines.
func (c *Client) Log(ctx context.Context) (Log, error) { return call(ctx, c, GetLog, None{}) }
