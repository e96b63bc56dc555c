package main

import (
	"fmt"
	"strconv"
)

// sixteen are the first colours of a terminal.
var sixteen = [...]string{"#1d2630", "#e06c75", "#7ddba3", "#f2c572", "#7cc4ff", "#c099ff", "#6fd3d8", "#d7dee7", "#667080", "#ff8a8a", "#a5f0c4", "#ffe0a0", "#a9d8ff", "#dcc2ff", "#a0eef2", "#ffffff"}

// take takes in the numbers of one sequence (ECMA-48, SGR).
func (l *look) take(codes []string) {
	if len(codes) == 0 {
		*l = look{}
	}
	for i := 0; i < len(codes); i++ {
		switch n := number(codes, i); {
		case n == 0:
			*l = look{}
		case n == 1:
			l.bold = true
		case n == 4:
			l.underline = true
		case n == 7:
			l.reverse = true
		case n == 22:
			l.bold = false
		case n == 24:
			l.underline = false
		case n == 27:
			l.reverse = false
		case n >= 30 && n < 38:
			l.fore = sixteen[n-30]
		case n >= 90 && n < 98:
			l.fore = sixteen[n-82]
		case n >= 40 && n < 48:
			l.back = sixteen[n-40]
		case n >= 100 && n < 108:
			l.back = sixteen[n-92]
		case n == 39:
			l.fore = ""
		case n == 49:
			l.back = ""
		case n == 38 || n == 48:
			color, used := extended(codes[i+1:])
			if i += used; n == 38 {
				l.fore = color
			} else {
				l.back = color
			}
		}
	}
}

// extended reads a colour of 256 or of 16.7 million, and how many numbers it took.
func extended(codes []string) (color string, used int) {
	if number(codes, 0) == 2 {
		return fmt.Sprintf("#%02x%02x%02x", number(codes, 1), number(codes, 2), number(codes, 3)), 4
	}
	switch n := number(codes, 1); {
	case n < 16:
		return sixteen[n], 2
	case n < 232:
		n -= 16
		return fmt.Sprintf("#%02x%02x%02x", step(n/36), step(n/6%6), step(n%6)), 2
	default:
		g := 8 + (n-232)*10
		return fmt.Sprintf("#%02x%02x%02x", g, g, g), 2
	}
}

func step(n int) int {
	if n == 0 {
		return 0
	}
	return 55 + 40*n
}

// number returns the i-th number, between 0 and 255; 0 if there is none.
func number(codes []string, i int) int {
	if i >= len(codes) {
		return 0
	}
	n, err := strconv.Atoi(codes[i])
	if err != nil || n < 0 || n > 255 {
		return 0
	}
	return n
}
