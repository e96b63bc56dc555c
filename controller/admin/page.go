package admin

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"

	"github.com/cvlan/cvlan/api/admin"
)

// mark is an item's place in a list by creation.
type mark struct {
	id uint64
	at time.Time
}

func (m mark) cursor() string {
	b := binary.BigEndian.AppendUint64(nil, m.id)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, uint64(m.at.UnixNano())))
}

func parseCursor(s string) (mark, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != 16 {
		return mark{}, false
	}
	return mark{binary.BigEndian.Uint64(b), time.Unix(0, int64(binary.BigEndian.Uint64(b[8:])))}, true
}

// pageByName makes a page of the items after a name. One more than limit was asked for, to know whether there are more.
func pageByName[T, U any](all []T, limit int, name func(T) string, show func(T) U) admin.List[U] {
	out := admin.List[U]{Items: []U{}}
	n := min(len(all), limit)
	for _, t := range all[:n] {
		out.Items = append(out.Items, show(t))
	}
	if n < len(all) && n > 0 {
		out.Next = name(all[n-1])
	}
	return out
}

// page cuts a page out of a list in order of creation and translates it. If the item that the cursor names is gone, the page
// begins with what was created at its time or later: an item may come twice then, but none is left out.
func page[T, U any](r admin.Route, all []T, p admin.Page, place func(T) mark, show func(T) U) (admin.List[U], error) {
	out := admin.List[U]{Items: []U{}}
	if p.After != "" {
		m, ok := parseCursor(p.After)
		if !ok {
			return out, invalid(r, "the cursor is none that a page before gave", "start without a cursor")
		}
		i := slices.IndexFunc(all, func(t T) bool { return place(t).id == m.id })
		if i < 0 {
			i = slices.IndexFunc(all, func(t T) bool { return !place(t).at.Before(m.at) }) - 1
			if i == -2 {
				i = len(all) - 1
			}
		}
		all = all[i+1:]
	}
	n := min(len(all), p.Limit)
	for _, t := range all[:n] {
		out.Items = append(out.Items, show(t))
	}
	if n < len(all) {
		out.Next = place(all[n-1]).cursor()
	}
	return out, nil
}
