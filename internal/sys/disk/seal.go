package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// A copy on disk is the content and one closing line: "\n#sha256 " and 64 hexadecimal digits and "\n".
const (
	sealHead = "\n#sha256 "
	sealSize = len(sealHead) + 2*sha256.Size + 1
)

// seal returns the closing line of a content.
func seal(content []byte) []byte {
	sum := sha256.Sum256(content)
	line := make([]byte, 0, sealSize)
	line = append(line, sealHead...)
	line = hex.AppendEncode(line, sum[:])
	return append(line, '\n')
}

// unseal returns the content of a whole copy; the result shares whole's memory.
func unseal(whole []byte) (content []byte, ok bool) {
	if len(whole) < sealSize {
		return nil, false
	}
	content = whole[:len(whole)-sealSize]
	return content, bytes.Equal(seal(content), whole[len(content):])
}
