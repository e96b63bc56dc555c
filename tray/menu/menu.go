// Package menu holds what a tray icon shows and what a click on it asks for, as values. The tray makes them of the daemon's state;
// a panel of whatever desktop shows them. All text in them is clean: a panel escapes what its own protocol asks for, and no more.
package menu

// Stand says at one glance how this machine's networks are.
type Stand uint8

// The stands.
const (
	Off        Stand = iota // every network is switched off
	Connecting              // coming up, or waiting for an admin
	On                      // at least one peer is reached directly, or nobody is wanted
	Relayed                 // every path in use leads through a relay
	Warning                 // something is wrong and the menu says what
	Login                   // a person must join, or join again
)

// Stands lists them all.
func Stands() []Stand { return []Stand{Off, Connecting, On, Relayed, Warning, Login} }

// String returns the stand's name in lower case.
func (s Stand) String() string {
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

var names = [...]string{"off", "connecting", "on", "relayed", "warning", "login"}

// Verb is what a click asks for.
type Verb uint8

// The verbs.
const (
	Nothing   Verb = iota
	Up             // Network: its identifier; "": all
	Down           // likewise
	Only           // Network: it is switched on, and all others off
	Exit           // Text: through which machine of Network what is for the internet leaves from now on
	Copy           // Text, to the clipboard; Of says in words what it is
	Profile        // Text: the login to a controller that commands use from now on
	Terminal       // the interface for terminals
	Autostart      // On
	Quit
)

// Action is what a click does. Actions are comparable.
type Action struct {
	Verb    Verb
	Network string
	Text    string
	Of      string
	On      bool
}

// Kind is how an entry looks.
type Kind uint8

// The kinds.
const (
	Plain     Kind = iota
	Check          // with a mark, which Entry.Marked sets
	Separator      // a line
)

// Entry is one line of the menu. An entry with children is a submenu. Key names the entry among all of a picture, and the same
// thing in the next one: a panel changes an entry in place, so that an open menu stays open.
type Entry struct {
	Key      string
	Label    string
	Kind     Kind
	Disabled bool
	Marked   bool
	Action   Action
	Children []Entry
}

// Picture is everything that a panel shows.
type Picture struct {
	Stand   Stand
	Title   string // one line
	Detail  string // a few lines more, for the tooltip; may be empty
	Entries []Entry
}

// Notice is a message for a person who looks elsewhere. One with the Key of an earlier one takes its place.
type Notice struct {
	Key    string
	Title  string
	Text   string
	Stand  Stand // of what the message is about, which the icon beside it shows
	Urgent bool
}
