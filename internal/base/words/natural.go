package words

import "cmp"

// Natural compares names as people count: db-2 comes before db-10.
func Natural(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] == b[i] {
			continue
		}
		if !digit(a[i]) && !digit(b[i]) {
			return cmp.Compare(a[i], b[i])
		}
		return cmp.Or(cmp.Compare(digits(a, i), digits(b, i)), cmp.Compare(a[i], b[i]))
	}
	return cmp.Compare(len(a), len(b))
}

// digits returns how many digits the number at i has, those before i included: the longer number is the larger.
func digits(s string, i int) int {
	n := 0
	for j := i; j < len(s) && digit(s[j]); j++ {
		n++
	}
	for j := i - 1; j >= 0 && digit(s[j]); j-- {
		n++
	}
	return n
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
