package admin

import (
	"encoding/json"
	"net/http"
	"time"
)

// ListEvents reads a tenant's audit trail.
var ListEvents = Op[ListEventsIn, ListEventsOut]{Route{
	ID: "listEvents", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/events", Scope: EventsRead, Tag: "Audit",
	Summary: "List the audit trail", Detail: "Oldest first. Each event's hash covers the one before, so that a missing or changed line shows."}}

// Event is one line of the audit trail.
type Event struct {
	Seq    uint64          `json:"seq"`
	At     time.Time       `json:"at"`
	Actor  string          `json:"actor" doc:"Who did it"`
	Action string          `json:"action" doc:"noun.verb" example:"node.approve"`
	Target string          `json:"target" doc:"Identifier of what it was done to"`
	Detail json.RawMessage `json:"detail,omitempty"`
	Prev   string          `json:"prev" doc:"Hash of the event before, hexadecimal"`
	Hash   string          `json:"hash" doc:"SHA-256 over prev and this event, hexadecimal"`
}

// ListEventsIn asks for a part of the trail.
type ListEventsIn struct {
	InTenant
	Page
}

// ListEventsOut answers ListEvents.
type ListEventsOut struct{ Body List[Event] }
