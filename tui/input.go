package tui

import (
	tea "charm.land/bubbletea/v2"
)

// keyName returns a key as screens know it: what it types, or its name.
func keyName(k tea.KeyPressMsg) string {
	if k.Text != "" && k.Text != " " {
		return k.Text
	}
	return k.String()
}

// key gives a key to whoever it is for: the uppermost thing on the screen first.
func (m *Model) key(name string) action {
	s := m.screens[m.at]
	switch {
	case name == "ctrl+c":
		return quit{}
	case name == "ctrl+z":
		return m.stop()
	case m.secret != nil:
		return m.secretKey(name)
	case m.dialog != nil:
		d := m.dialog
		a, open := d.key(name)
		if !open {
			m.dialog = nil
		}
		return a
	case m.helping:
		if m.help.scroll.key(name) {
			return nil
		}
		m.helping = false
		return nil
	}
	if t, ok := s.(typist); ok && t.typing() && !m.detailed {
		return s.key(name)
	}
	if a, known := m.rootKey(name); known {
		return a
	}
	if !m.world.known {
		return m.health.key(name)
	}
	if m.detailed {
		return m.details.key(name)
	}
	return s.key(name)
}

// secretKey copies a new join key, turns it into a code, or forgets it.
func (m *Model) secretKey(name string) action {
	switch name {
	case "c", "y":
		m.secret.copied = true
		return clip{m.secret.key}
	case "r":
		m.secret.coded = !m.secret.coded && m.secret.qr != nil
	case "esc", "enter", "q":
		m.secret = nil
	}
	return nil
}

// rootKey does what keys mean everywhere.
func (m *Model) rootKey(name string) (action, bool) {
	switch name {
	case "q":
		return quit{}, true
	case "?", "f1":
		m.helping, m.help.scroll = true, scroll{}
	case "m":
		m.mouseOff = !m.mouseOff
		if m.mouseOff {
			return say{text: "The mouse marks text now; m gives it back"}, true
		}
	case "L":
		return pickLogin{}, true
	case "tab":
		return show{(m.at + 1) % m.last()}, true
	case "shift+tab":
		return show{(m.at + m.last() - 1) % m.last()}, true
	case "1", "2", "3", "4", "5", "6", "7", "8":
		return show{place(name[0] - '1')}, true
	default:
		return nil, false
	}
	return nil, true
}

func (m *Model) paste(text string) action {
	if m.dialog != nil && m.dialog.typed {
		m.dialog.line.Insert(text)
		return nil
	}
	if t, ok := m.screens[m.at].(typist); ok && t.typing() {
		return t.paste(text)
	}
	return nil
}
