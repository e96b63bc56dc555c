// Package duel lets two tunnels between the same two hosts of a laboratory compete: a pair of cvland and a pair of stock
// wireguard-go, both up at once, under the same load one after the other. It starts them, loads them, and says what came through
// and what it cost. Pairs need Linux.
package duel

// MTU is that of both tunnels: stock's default.
const MTU = 1420

// Heat is what the same load gave with both, one after the other.
type Heat[T any] struct{ Ours, Stock T }

// Compare runs f on both. In even turns stock is first, in odd turns it is second, so that whatever else the machine does meets
// both alike.
func Compare[P, T any](turn int, ours, stock P, f func(P) (T, error)) (h Heat[T], err error) {
	if turn%2 == 0 {
		if h.Stock, err = f(stock); err != nil {
			return h, err
		}
		h.Ours, err = f(ours)
		return h, err
	}
	if h.Ours, err = f(ours); err != nil {
		return h, err
	}
	h.Stock, err = f(stock)
	return h, err
}

// Ratio makes a number of one rival into that of a heat: ours as a multiple of stock's.
func Ratio[T any](of func(T) float64) func(Heat[T]) float64 {
	return func(h Heat[T]) float64 { return of(h.Ours) / of(h.Stock) }
}

// Ours makes a number of one rival into that of ours in a heat.
func Ours[T any](of func(T) float64) func(Heat[T]) float64 {
	return func(h Heat[T]) float64 { return of(h.Ours) }
}

// Stock makes a number of one rival into that of stock's in a heat.
func Stock[T any](of func(T) float64) func(Heat[T]) float64 {
	return func(h Heat[T]) float64 { return of(h.Stock) }
}
