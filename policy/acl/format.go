package acl

import "slices"

// Format writes a document in one fixed style: tabs, one space, a trailing comma where a list has lines. Comments and meaning stay. The
// error is Problems if it is not JSON with comments.
func Format(src []byte) ([]byte, error) {
	s := newSource(slices.Clone(src)) // the formatter writes into the text that it has parsed
	if len(src) > MaxSize {
		s.lines = s.lines[:1]
	}
	root, ok := s.parse()
	if !ok {
		return nil, s.sorted()
	}
	root.Format()
	return root.Pack(), nil
}
