package local

// Setting is one thing about this machine that can be set, as it is now: of one network, or of the machine.
type Setting struct {
	Key     string   `json:"key"`
	What    string   `json:"what"`              // what it is, in a few words
	Network string   `json:"network,omitempty"` // whose value this is; absent: the machine's
	Value   string   `json:"value"`
	Default string   `json:"default"`           // what it is when nobody has set it
	Set     bool     `json:"set"`               // somebody has set it
	InUse   string   `json:"in_use,omitempty"`  // what has come of it, where Value leaves that open
	Instead string   `json:"instead,omitempty"` // what decides in place of Value, and for whom
	Values  []string `json:"values,omitempty"`  // all that it may be; absent: see Form
	Form    string   `json:"form,omitempty"`    // how a value is written
	Restart bool     `json:"restart"`           // a change interrupts the network for a moment
	Flag    string   `json:"flag,omitempty"`    // of cvland, which alone sets it; absent: cvlan set does
}

// Settings answers GetSettings, and PatchSettings with those concerned.
type Settings struct {
	Schema   int       `json:"schema"`
	Settings []Setting `json:"settings"`
}

// SetRequest sets what it names and nothing else. All of it is checked before anything is changed.
type SetRequest struct {
	// Network is whose settings are meant; "" is right for the machine's own, and where there is one network.
	Network string            `json:"network,omitempty"`
	Values  map[string]string `json:"values"` // by key; "default" takes a setting back
}

// DefaultValue is the value that takes every setting back to its default.
const DefaultValue = "default"
