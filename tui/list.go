package tui

// list is a cursor over rows of which only some are seen. It knows nothing of what the rows are.
type list struct {
	at, top int // row under the cursor; first row that is seen
	rows    int
	height  int // how many are seen
}

// fit takes in how many rows there are and how many are seen.
func (l *list) fit(rows, height int) {
	l.rows, l.height = rows, max(height, 0)
	l.at = max(min(l.at, rows-1), 0)
	switch {
	case l.at < l.top:
		l.top = l.at
	case l.at >= l.top+l.height:
		l.top = l.at - l.height + 1
	}
	l.top = max(min(l.top, rows-l.height), 0)
}

// seen returns the rows to draw, from and up to.
func (l *list) seen() (from, to int) { return l.top, min(l.top+l.height, l.rows) }

// to moves the cursor.
func (l *list) to(row int) {
	l.at = row
	l.fit(l.rows, l.height)
}

// key does what a key means to a list, and reports whether it means anything.
func (l *list) key(name string) bool {
	switch name {
	case "up", "k":
		l.to(l.at - 1)
	case "down", "j":
		l.to(l.at + 1)
	case "pgup", "ctrl+b":
		l.to(l.at - max(l.height-1, 1))
	case "pgdown", "ctrl+f", "space":
		l.to(l.at + max(l.height-1, 1))
	case "home", "g":
		l.to(0)
	case "end", "G":
		l.to(l.rows - 1)
	default:
		return false
	}
	return true
}

// wheel moves what is seen by so many rows, and the cursor only as far as it must to stay among them.
func (l *list) wheel(by int) {
	l.top = max(min(l.top+by, l.rows-l.height), 0)
	l.at = max(min(max(l.at, l.top), l.top+l.height-1), 0)
}

// click returns the row at a line of the list; false: there is none.
func (l *list) click(y int) (int, bool) {
	row := l.top + y
	return row, y >= 0 && y < l.height && row < l.rows
}

// scroll is a text of which a part is seen.
type scroll struct{ list }

// part returns the lines that are seen.
func (s *scroll) part(lines []string, height int) []string {
	s.rows, s.height = len(lines), max(height, 0)
	s.wheel(0)
	from, to := s.seen()
	return lines[from:to]
}

// key moves the text.
func (s *scroll) key(name string) bool {
	page := max(s.height-1, 1)
	switch name {
	case "up", "k":
		s.wheel(-1)
	case "down", "j":
		s.wheel(1)
	case "pgup", "ctrl+b":
		s.wheel(-page)
	case "pgdown", "ctrl+f", "space":
		s.wheel(page)
	case "home", "g":
		s.wheel(-s.rows)
	case "end", "G":
		s.wheel(s.rows)
	default:
		return false
	}
	return true
}
