package main

import "testing"

func TestTheFatesAddUp(t *testing.T) {
	var count [4]int
	for _, p := range allPairs() {
		count[p.fate()]++
	}
	if want := [4]int{31, 6, 5, 13}; count != want {
		t.Errorf("%v pairs are punched, guessed, timed, relayed; want %v", count, want)
	}
}

func TestPairsAreReadInEitherOrder(t *testing.T) {
	got, err := readPairs("sym:port,port:sym,noudp:noudp")
	if err != nil || len(got) != 3 || got[0] != got[1] || got[0].String() != "port:sym" || got[2].String() != "noudp:noudp" {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"sym", "sym:", "sym:cone"} {
		if _, err := readPairs(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}
