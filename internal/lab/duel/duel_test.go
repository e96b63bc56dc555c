package duel

import (
	"errors"
	"slices"
	"testing"
)

func TestRivalsTakeTurnsAtBeingFirst(t *testing.T) {
	var order []string
	for turn := range 2 {
		h, err := Compare(turn, "ours", "stock", func(who string) (int, error) {
			order = append(order, who)
			return len(who), nil
		})
		if err != nil || h != (Heat[int]{4, 5}) {
			t.Errorf("turn %d: %+v, %v", turn, h, err)
		}
	}
	if want := []string{"stock", "ours", "ours", "stock"}; !slices.Equal(order, want) {
		t.Errorf("the order is %v, want %v", order, want)
	}
}

func TestFailureEndsTheHeat(t *testing.T) {
	broken := errors.New("broken")
	for turn := range 2 {
		calls := 0
		_, err := Compare(turn, 1, 2, func(int) (int, error) { calls++; return 0, broken })
		if err != broken || calls != 1 {
			t.Errorf("turn %d: %v after %d calls", turn, err, calls)
		}
	}
}

func TestRatioIsOursOverStock(t *testing.T) {
	h, same := Heat[float64]{Ours: 6, Stock: 3}, func(x float64) float64 { return x }
	if r, o, s := Ratio(same)(h), Ours(same)(h), Stock(same)(h); r != 2 || o != 6 || s != 3 {
		t.Errorf("ratio %v, ours %v, stock %v", r, o, s)
	}
}
