package tui

import (
	"time"

	"github.com/cvlan/cvlan/tui/draw"
)

// logScreen shows what has changed, newest first.
type logScreen struct {
	still
	*world
	scroll scroll
}

func (s *logScreen) title() string { return "Log" }
func (s *logScreen) extent() *list { return &s.scroll.list }

func (s *logScreen) view(width, height int) []string {
	t := s.theme
	if len(s.log.list) == 0 {
		return nothing(t, width, "Nothing has changed yet", "Peers that come, go or change their path, networks, controllers and warnings are told of here as they change.")
	}
	s.scroll.rows, s.scroll.height = len(s.log.list), height
	s.scroll.wheel(0)
	var lines []string
	from, to := s.scroll.seen()
	for i := from; i < to; i++ {
		c := s.log.list[len(s.log.list)-1-i]
		style, mark := t.Fair, "•"
		switch c.tone {
		case good:
			style, mark = t.Good, "+"
		case bad:
			style, mark = t.Bad, "!"
		}
		l := draw.NewLine(width, draw.Style{}).Put(t.Dim, c.at.Format(time.TimeOnly)+"  ").Put(style, mark+" ").Put(t.Text, c.text)
		if len(s.networks) > 1 && c.network != "" {
			l.Put(t.Dim, "  "+c.network)
		}
		lines = append(lines, l.String())
	}
	return lines
}

func (s *logScreen) key(name string) action {
	s.scroll.key(name)
	return nil
}

func (s *logScreen) wheel(by int) action {
	s.scroll.wheel(by)
	return nil
}

func (s *logScreen) hints() []hintText {
	if s.scroll.rows <= s.scroll.height {
		return nil
	}
	return []hintText{{"↑↓", "scroll"}}
}
