package acl

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tailscale/hujson"
)

// Window is when a rule is in force: on certain days, between certain hours, in the wall time of one zone.
type Window struct {
	Days  [7]bool // by time.Weekday
	Hours []Hours // sorted; none: all day
	Zone  *time.Location
}

// Hours are minutes of a day: from From until, not including, Until. Where Until is not after From they end on the next day, and belong
// to the day on which they begin.
type Hours struct{ From, Until int }

const day = 24 * 60 // minutes

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Active reports whether t lies in the window.
func (w *Window) Active(t time.Time) bool {
	t = t.In(w.Zone)
	today := t.Weekday()
	before := (today + 6) % 7
	minute := t.Hour()*60 + t.Minute()
	if len(w.Hours) == 0 {
		return w.Days[today]
	}
	for _, h := range w.Hours {
		if h.From < h.Until {
			if w.Days[today] && h.From <= minute && minute < h.Until {
				return true
			}
			continue
		}
		if w.Days[today] && minute >= h.From || w.Days[before] && minute < h.Until {
			return true
		}
	}
	return false
}

// Next returns the first instant after t at which Active changes; the zero Time if it never does.
func (w *Window) Next(t time.Time) time.Time {
	now := w.Active(t)
	var next time.Time
	consider := func(c time.Time) {
		if c.After(t) && (next.IsZero() || c.Before(next)) && w.Active(c) != now {
			next = c
		}
	}
	local := t.In(w.Zone)
	for i := -1; i <= 8; i++ {
		date := local.AddDate(0, 0, i)
		w.edges(date, consider)
	}
	for c, i := t, 0; i < 4; i++ { // wall time leaps here
		_, end := c.In(w.Zone).ZoneBounds()
		if end.IsZero() || end.Sub(t) > 9*day*time.Minute {
			break
		}
		consider(end)
		c = end
	}
	return next.In(w.Zone)
}

// edges calls f with the instants of a date at which hours begin or end. A wall time that comes twice is told twice.
func (w *Window) edges(date time.Time, f func(time.Time)) {
	at := func(minute int) {
		wall := time.Date(date.Year(), date.Month(), date.Day(), 0, minute, 0, 0, time.UTC)
		for _, probe := range []time.Duration{-day * time.Minute, day * time.Minute} {
			_, offset := wall.Add(probe).In(w.Zone).Zone()
			f(wall.Add(-time.Duration(offset) * time.Second))
		}
	}
	at(0)
	for _, h := range w.Hours {
		at(h.From)
		at(h.Until)
	}
}

// window reads { "days": ["mon-fri"], "hours": "08:00-18:00", "zone": "Europe/Berlin" }.
func (p *parser) window(v *hujson.Value, path string) *Window {
	w := &Window{Zone: time.UTC}
	daysGiven := false
	ok := p.object(v, path,
		field{"days", func(v *hujson.Value, path string) {
			for _, t := range p.oneOrMore(v, path) {
				daysGiven = true
				p.days(w, t)
			}
		}},
		field{"hours", func(v *hujson.Value, path string) {
			for _, t := range p.oneOrMore(v, path) {
				p.hours(w, t)
			}
		}},
		field{"zone", func(v *hujson.Value, path string) {
			if t, ok := p.str(v, path); ok {
				p.zone(w, t)
			}
		}},
	)
	if !daysGiven {
		w.Days = [7]bool{true, true, true, true, true, true, true}
		if ok && len(w.Hours) == 0 {
			p.fail(v, path, "neither days nor hours", `such as { "days": "mon-fri", "hours": "08:00-18:00", "zone": "Europe/Berlin" }`)
		}
	}
	slices.SortFunc(w.Hours, func(a, b Hours) int { return a.From - b.From })
	return w
}

func (p *parser) days(w *Window, t text) {
	from, to, dash := strings.Cut(strings.ToLower(t.string), "-")
	if !dash {
		to = from
	}
	a, b := slices.Index(dayNames, from), slices.Index(dayNames, to)
	if a < 0 || b < 0 {
		p.failText(t, "not a day", `days are mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri`)
		return
	}
	for d := a; ; d = (d + 1) % 7 {
		w.Days[d] = true
		if d == b {
			return
		}
	}
}

const maxHours = 48

func (p *parser) hours(w *Window, t text) {
	from, to, _ := strings.Cut(t.string, "-")
	a, ok := clock(from)
	b, ok2 := clock(to)
	switch {
	case !ok || !ok2 || a == day || a == b:
		p.failText(t, "not a range of hours", `such as "08:00-18:00"; "22:00-06:00" ends on the next day`)
	case len(w.Hours) == maxHours:
		p.failText(t, fmt.Sprintf("more than %d ranges of hours", maxHours), "")
	default:
		w.Hours = append(w.Hours, Hours{a, b})
	}
}

// clock reads "08:00" to "24:00" in minutes.
func clock(s string) (minute int, ok bool) {
	s = strings.TrimSpace(s)
	if s == "24:00" {
		return day, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil
}

func (p *parser) zone(w *Window, t text) {
	if t.string == "" || t.string == "Local" || len(t.string) > maxName {
		p.failText(t, "not a time zone", `such as "Europe/Berlin" or "UTC"`)
		return
	}
	zone, err := p.opt.zone(t.string)
	if err != nil {
		p.failText(t, "unknown time zone", `such as "Europe/Berlin" or "UTC"`)
		return
	}
	w.Zone = zone
}

// String writes the window as people say it.
func (w *Window) String() string {
	var days []string
	for d := 1; d <= 7; d++ {
		if w.Days[d%7] {
			days = append(days, dayNames[d%7])
		}
	}
	s := strings.Join(days, ",")
	if len(days) == 7 {
		s = "every day"
	}
	for i, h := range w.Hours {
		sep := " "
		if i > 0 {
			sep = ", "
		}
		s += fmt.Sprintf("%s%02d:%02d-%02d:%02d", sep, h.From/60, h.From%60, h.Until/60, h.Until%60)
	}
	return s + " " + w.Zone.String()
}
