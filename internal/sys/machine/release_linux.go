package machine

import "strings"

// distro reads ID and VERSION_ID out of an os-release(5): lines of NAME=value, the value a word or in quotes of a shell, in which a
// backslash takes the next character as it is. Of two lines with one name the last holds; without ID it is "linux".
func distro(text string) (id, version string) {
	id = "linux"
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "ID":
			id = unquote(value)
		case "VERSION_ID":
			version = unquote(value)
		}
	}
	return id, version
}

func unquote(s string) string {
	if n := len(s); n > 1 && (s[0] == '"' || s[0] == '\'') && s[n-1] == s[0] {
		if s[0] == '\'' {
			return s[1 : n-1]
		}
		s = s[1 : n-1]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
