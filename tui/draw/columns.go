package draw

// Column is one of a table.
type Column struct {
	Title string
	Min   int // cells; the column is left out where that is too much
	Most  int // cells; 0: as Min
	Right bool
	Rank  int  // the lowest stay when room is short
	Last  bool // what is left over is offered to it after all others, whatever its rank
}

// Gap is how many cells are between two columns.
const Gap = 2

// Widths shares room among columns: 0 for those that have to go. The lowest ranks stay, and what is left over goes to those that can
// use it, the lowest rank first.
func Widths(columns []Column, room int) []int {
	w := make([]int, len(columns))
	left := room + Gap
	order := byRank(columns)
	for _, i := range order {
		if need := columns[i].Min + Gap; need <= left {
			w[i], left = columns[i].Min, left-need
		}
	}
	for _, last := range []bool{false, true} {
		for _, i := range order {
			if c := columns[i]; c.Last == last && w[i] > 0 && c.Most > w[i] {
				more := min(c.Most-w[i], left)
				w[i], left = w[i]+more, left-more
			}
		}
	}
	return w
}

func byRank(columns []Column) []int {
	order := make([]int, len(columns))
	for i := range order {
		order[i] = i
		for j := i; j > 0 && columns[order[j]].Rank < columns[order[j-1]].Rank; j-- {
			order[j], order[j-1] = order[j-1], order[j]
		}
	}
	return order
}

// At returns which column a cell belongs to; -1: none.
func At(widths []int, x int) int {
	for i, w := range widths {
		if w == 0 {
			continue
		}
		if x < w {
			return i
		}
		x -= w + Gap
		if x < 0 {
			return -1
		}
	}
	return -1
}
