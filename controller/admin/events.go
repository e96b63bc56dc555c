package admin

import (
	"context"
	"encoding/hex"
	"encoding/json"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
)

// listEvents pages by the events' own numbers: the trail only ever grows.
func (s *server) listEvents(ctx context.Context, t *tenant, in *admin.ListEventsIn) (*admin.ListEventsOut, error) {
	after := mark{}
	if in.After != "" {
		var ok bool
		if after, ok = parseCursor(in.After); !ok {
			return nil, invalid(t.route, "the cursor is none that a page before gave", "start without a cursor")
		}
	}
	all, err := t.Events(ctx, after.id, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &admin.ListEventsOut{Body: admin.List[admin.Event]{Items: []admin.Event{}}}
	for i, e := range all {
		if i == in.Limit {
			out.Body.Next = mark{all[i-1].Seq, all[i-1].At}.cursor()
			break
		}
		out.Body.Items = append(out.Body.Items, showEvent(e))
	}
	return out, nil
}

func showEvent(e store.Event) admin.Event {
	out := admin.Event{Seq: e.Seq, At: e.At, Actor: e.Actor, Action: e.Action, Target: e.Target,
		Prev: hex.EncodeToString(e.Prev[:]), Hash: hex.EncodeToString(e.Hash[:])}
	if json.Valid([]byte(e.Detail)) {
		out.Detail = json.RawMessage(e.Detail)
	}
	return out
}
