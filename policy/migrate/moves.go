package migrate

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/cvlan/cvlan/policy/acl"
)

// edit is a word of a text that was replaced by another: the offset at which it stood, and the characters of both.
type edit struct{ offset, was, is int }

// Moves say where the parts of a text have stood before words in it were replaced. No line has become another.
type Moves map[int32][]move // by line, in order

// move is a word that begins at a column and had so many characters, and has so many now.
type move struct{ column, was, is int32 }

// newMoves places edits of src, which need no order.
func newMoves(src []byte, edits []edit) Moves {
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(a.offset, b.offset) })
	all := Moves{}
	line, begins, at := int32(1), 0, 0
	for _, e := range edits {
		line += int32(bytes.Count(src[at:e.offset], []byte("\n")))
		if last := bytes.LastIndexByte(src[at:e.offset], '\n'); last >= 0 {
			begins = at + last + 1
		}
		at = e.offset
		column := 1 + utf8.RuneCount(src[begins:at])
		all[line] = append(all[line], move{int32(column), int32(e.was), int32(e.is)})
	}
	return all
}

// Back is where something stood before; what stands inside of a word that was replaced is placed at its beginning.
func (m Moves) Back(p acl.Pos) acl.Pos {
	shift := int32(0)
	for _, w := range m[p.Line] {
		switch begins := w.column + shift; {
		case p.Column < begins:
			return acl.Pos{Line: p.Line, Column: p.Column - shift}
		case p.Column < begins+w.is:
			return acl.Pos{Line: p.Line, Column: w.column}
		}
		shift += w.is - w.was
	}
	return acl.Pos{Line: p.Line, Column: p.Column - shift}
}
