package words

import "strings"

// Near returns which of the names somebody may have meant who has written another: one that it begins, or that is at most a third of its
// letters away (Levenshtein); "" if none is near enough. Of several it is the nearest, and of these the first.
func Near(written string, names []string) string {
	written = strings.ToLower(written)
	best, least := "", 1+max(1, len(written)/3)
	for _, n := range names {
		d := distance(written, n, least)
		if written != "" && strings.HasPrefix(n, written) {
			d = min(d, 1)
		}
		if d < least {
			best, least = n, d
		}
	}
	return best
}

// maxWord bounds what is compared, in bytes: nobody mistypes more.
const maxWord = 64

// distance counts how many letters must be changed, added, left out or exchanged with the next; too many counts as limit.
func distance(a, b string, limit int) int {
	if len(a) > maxWord || len(b) > maxWord || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var above, row, below [maxWord + 1]int // of the letters of a before the last, up to the last, and with it
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		below[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			below[j+1] = min(change, below[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				below[j+1] = min(below[j+1], above[j-1]+1)
			}
		}
		above, row = row, below
	}
	return row[len(b)]
}
