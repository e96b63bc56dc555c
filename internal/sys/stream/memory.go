package stream

import "sync"

// Choice is what won a race.
type Choice struct {
	Transport Transport // QUIC or TCP
	Addr      string    // as it stands in DialConfig.Addrs
	Proxied   bool      // by way of the proxy for that address
}

// Memory remembers what won where, so that the next Dial begins with it. A network attachment is whatever tells one place from another,
// such as the gateway's address and the name of the wireless network; the caller makes the string. Implementations are safe for
// concurrent use.
type Memory interface {
	Recall(attachment string) (Choice, bool)
	Remember(attachment string, c Choice)
}

// places bounds a Recent.
const places = 64

// Recent is a Memory of the last 64 places, for one process. The zero Recent remembers nothing yet.
type Recent struct {
	mu    sync.Mutex
	at    map[string]Choice
	order []string // oldest first
}

// Recall implements Memory.
func (r *Recent) Recall(attachment string) (Choice, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.at[attachment]
	return c, ok
}

// Remember implements Memory.
func (r *Recent) Remember(attachment string, c Choice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.at[attachment]; !known {
		if len(r.order) == places {
			delete(r.at, r.order[0])
			r.order = r.order[1:]
		}
		r.order = append(r.order, attachment)
	}
	if r.at == nil {
		r.at = make(map[string]Choice)
	}
	r.at[attachment] = c
}
