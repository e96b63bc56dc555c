// Package taskbar puts the tray's icon into the notification area of Windows. Everything there happens on one thread, which owns a
// window that nobody sees and reads its messages; others post to it.
//
// The menu is made when it is opened and thrown away when it closes, so the entry that is chosen is the one that was read, and no
// choice is lost.
package taskbar

import (
	"strings"
	"unicode/utf16"

	"github.com/cvlan/cvlan/tray/menu"
)

// firstID is the number of the first entry; 0 means that none was chosen.
const firstID = 1

// commands numbers the entries that do something, submenus included.
type commands struct{ actions []menu.Action }

// number returns an entry's, or 0 for one that does nothing.
func (c *commands) number(a menu.Action) uint32 {
	if a.Verb == menu.Nothing {
		return 0
	}
	c.actions = append(c.actions, a)
	return firstID + uint32(len(c.actions)) - 1
}

func (c *commands) action(number uint32) menu.Action {
	if i := int(number) - firstID; i >= 0 && i < len(c.actions) {
		return c.actions[i]
	}
	return menu.Action{}
}

// label writes a menu's text: an ampersand would mark the next letter as a key to press, and a tab begins a second column.
func label(s string) string {
	return strings.NewReplacer("&", "&&", "\t", " ").Replace(s)
}

// put writes text into a field of a fixed length, which ends with a zero; what does not fit is cut off between characters.
func put(field []uint16, s string) {
	clear(field)
	n := 0
	for _, r := range s {
		u := utf16.AppendRune(nil, r)
		if n+len(u) >= len(field) {
			return
		}
		n += copy(field[n:], u)
	}
}
