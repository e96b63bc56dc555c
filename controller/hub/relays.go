package hub

import (
	"github.com/cvlan/cvlan/internal/core/view"
)

// RelaysChanged tells all nodes which relays there are now.
func (h *Hub) RelaysChanged() {
	for _, t := range h.all() {
		t.relays()
	}
}

func (t *tenant) relays() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.view != nil {
		t.markAll(t.setRelays(t.view))
	}
}

// setRelays asks for the list under the tenant's lock, so that the last word is the newest.
func (t *tenant) setRelays(v *view.View) view.Change {
	if t.hub.Relays == nil {
		return view.Change{}
	}
	return v.SetRelays(t.hub.Relays(t.id))
}
