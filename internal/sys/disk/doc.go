// Package disk keeps small files so that a power cut, a kill or a full disk at any moment leaves the last good copy readable.
//
// Beside a file NAME there may be NAME.tmp, the next version while it is being written, and NAME.prev, the version before. Write
// makes the temporary file whole and durable before it takes the place of NAME; Read takes the first of NAME, NAME.tmp and
// NAME.prev that is whole and says which it was. Every copy ends with a line that holds the SHA-256 of what comes before it, so
// that a torn, emptied or rotten copy is told from a whole one. The line is no protection from somebody who may write the file:
// such a person owns the machine, and a key to check against would lie beside it.
//
// A text file stays readable with cat, and PEM stays readable for every tool, because those skip what follows the last block.
//
// One process, and in it one goroutine a file, writes at a time; Lock keeps a second process away.
package disk
