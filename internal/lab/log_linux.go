package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

const (
	keepBytes = 1 << 20  // of a log in memory
	fileBytes = 64 << 20 // of a log on disk; the rest is dropped
	tailBytes = 16 << 10 // of a log, shown to people
)

// logFile takes a program's output: a file for people, the last part in memory for WaitLog.
type logFile struct {
	path string

	mu      sync.Mutex
	file    *os.File
	written int64
	last    []byte
	growth  chan struct{} // closed and replaced at every write
}

func newLog(path string) (*logFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for logs: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("make a log: %w", err)
	}
	return &logFile{path: path, file: f, growth: make(chan struct{})}, nil
}

// Write takes all of b and never fails: a program must not feel that its log is full.
func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written < fileBytes {
		n, _ := l.file.Write(b)
		l.written += int64(n)
	}
	l.last = append(l.last, b...)
	if over := len(l.last) - keepBytes; over > keepBytes/4 {
		l.last = append(l.last[:0], l.last[over:]...)
	}
	close(l.growth)
	l.growth = make(chan struct{})
	return len(b), nil
}

// grown returns a channel that is closed when more has been written.
func (l *logFile) grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.growth
}

// contains says whether text is in the part that is in memory.
func (l *logFile) contains(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.last, []byte(text))
}

func (l *logFile) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.last[max(0, len(l.last)-n):])
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.Close()
}
