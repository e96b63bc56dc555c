package cli

import (
	"fmt"
	"math"
	"strconv"
)

// amount is a flag for a whole number from least to most; its variable holds the default.
type amount struct {
	to          *int
	least, most int
}

// noLimit is amount's most where there is none.
const noLimit = math.MaxInt

func (a amount) String() string {
	if a.to == nil { // pflag asks a zero value for its zero
		return "0"
	}
	return strconv.Itoa(*a.to)
}

// Type names the flag's argument in help.
func (amount) Type() string { return "int" }

// Set reads what was typed.
func (a amount) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < a.least || n > a.most {
		return a.wanted()
	}
	*a.to = n
	return nil
}

func (a amount) wanted() want {
	if a.most == noLimit {
		return want(fmt.Sprintf("a whole number, %d or more, such as %d", a.least, max(10, a.least)))
	}
	return want(fmt.Sprintf("a whole number from %d to %d", a.least, a.most))
}

// want is the error of a flag's value that says what the flag takes.
type want string

func (w want) Error() string { return "want " + string(w) }
