package resolvconf

import (
	"net/netip"
	"slices"
	"strings"
)

// The marks around lines of ours. A mark that begins may say more on its line.
const (
	begin = "# cvlan begin"
	end   = "# cvlan end"
	note  = ": names of CVLAN networks; taken out again when it stops, or by: sudo cvland --cleanup"
)

// MaxSize bounds a file that is read, in bytes. A longer one is none.
const MaxSize = 64 << 10

// maxSearch bounds the search domains that are kept.
const maxSearch = 32

// File is what a resolv.conf says, lines of ours aside.
type File struct {
	Servers []netip.Addr
	Search  []string
}

// Parse reads what others have written; what it does not understand counts for nothing.
func Parse(content string) (f File) {
	for line := range strings.Lines(Without(content)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(words[1]); err == nil {
				f.Servers = append(f.Servers, a)
			}
		case "search":
			f.Search = words[1:]
		case "domain":
			f.Search = words[1:2]
		}
	}
	return f
}

// Ours reports whether lines of ours are in it.
func Ours(content string) bool {
	return slices.ContainsFunc(slices.Collect(strings.Lines(content)), begins)
}

func begins(line string) bool { return strings.HasPrefix(line, begin) }

// With is a file with our lines in it, in place of those that are there. Without a line of its own a reader takes the search domain
// from the machine's name: host is that name, for the search line that ours would displace otherwise.
func With(content string, server netip.Addr, search []string, host string) string {
	content = Without(content)
	f := Parse(content)
	if _, domain, ok := strings.Cut(strings.TrimSpace(host), "."); ok && len(f.Search) == 0 && domain != "" {
		f.Search = []string{domain}
	}
	all := f.Search
	for _, s := range search {
		if !slices.Contains(all, s) {
			all = append(slices.Clip(all), s)
		}
	}
	var b strings.Builder
	b.WriteString(begin + note + "\nnameserver " + server.String() + "\n")
	if len(f.Servers) == 0 { // readers ask themselves then, and are to go on to do so
		b.WriteString("nameserver 127.0.0.1\n")
	}
	b.WriteString(end + "\n" + content)
	if len(search) == 0 {
		return b.String()
	}
	if !strings.HasSuffix(content, "\n") && content != "" {
		b.WriteString("\n" + begin + seam + "\n") // the line break before it is ours, too
	} else {
		b.WriteString(begin + "\n")
	}
	b.WriteString("search " + strings.Join(all[:min(len(all), maxSearch)], " ") + "\n" + end + "\n")
	return b.String()
}

// seam says on a mark that the line break before it is ours.
const seam = " (joined)"

// Without is a file without our lines: what With was given. A mark that begins and is never ended hides nothing but itself.
func Without(content string) string {
	var b strings.Builder
	lines := slices.Collect(strings.Lines(content))
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if !begins(line) {
			b.WriteString(line)
			continue
		}
		stop := slices.IndexFunc(lines[i:], func(l string) bool { return strings.TrimRight(l, "\r\n") == end })
		if stop < 0 || slices.ContainsFunc(lines[i+1:i+stop], begins) {
			continue
		}
		if strings.HasPrefix(line, begin+seam) {
			whole := strings.TrimSuffix(b.String(), "\n")
			b.Reset()
			b.WriteString(whole)
		}
		i += stop
	}
	return b.String()
}
