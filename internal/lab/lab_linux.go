package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

// maxHosts bounds the computers and routers of one laboratory; the address plan holds no more.
const maxHosts = 200

// Lab is one laboratory: an internet and what was joined to it. Building and faults are for one goroutine; hosts may
// be used by many.
type Lab struct {
	dir  string
	fail func(error) // does not return
	inet *Host

	sites  int // made so far, and so on
	public int
	tables int
	delays map[string]*delayLine // by router and link
	served []io.Closer           // what the laboratory itself serves

	mu     sync.Mutex // guards what follows
	hosts  []*Host
	byName map[string]*Host
}

// New makes a laboratory that lasts as long as the test. It skips the test where the machine does not allow one. When
// the test fails, the ends of the logs of all started programs are shown.
func New(t testing.TB) *Lab {
	t.Helper()
	if os.Getenv(stageVar) != stageInside {
		if why := os.Getenv(reasonVar); why != "" {
			t.Skip("lab: " + why)
		}
		t.Fatal("lab: not inside a sandbox: the package's TestMain must be os.Exit(lab.TestMain(m))")
	}
	l, err := open(func(err error) { t.Helper(); t.Fatal("lab: ", err) })
	if err != nil {
		t.Fatal("lab: ", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			l.tails(func(s string) { t.Log(s) })
		}
		if err := l.close(); err != nil {
			t.Error("lab: ", err)
		}
	})
	return l
}

func open(fail func(error)) (*Lab, error) {
	dir, err := os.MkdirTemp(root, "lab-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the laboratory: %w", err)
	}
	l := &Lab{dir: dir, fail: fail, byName: map[string]*Host{}, delays: map[string]*delayLine{}}
	if l.inet, err = l.addHost("inet", true); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// Host returns the host with a name; a router is called "r-" and its site's name, the internet "inet".
func (l *Lab) Host(name string) *Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.byName[name]
	if h == nil {
		l.fail(fmt.Errorf("no host is called %q", name))
	}
	return h
}

// Hosts returns all hosts in the order they were made, routers and the internet included.
func (l *Lab) Hosts() []*Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Host(nil), l.hosts...)
}

// must ends the story when the laboratory itself fails.
func (l *Lab) must(what string, err error) {
	if err != nil {
		l.fail(fmt.Errorf("%s: %w", what, err))
	}
}

// Link names are "u-" or "h-" and the host's name, 15 bytes at most for the kernel.
var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,11}$`)

func (l *Lab) addHost(name string, forwards bool) (*Host, error) {
	if !nameRule.MatchString(name) {
		return nil, fmt.Errorf("%q cannot name a host: use up to 12 of a-z, 0-9 and -", name)
	}
	l.mu.Lock()
	taken, n := l.byName[name] != nil, len(l.hosts)
	l.mu.Unlock()
	if taken {
		return nil, fmt.Errorf("two hosts cannot both be called %q", name)
	}
	if n >= maxHosts {
		return nil, fmt.Errorf("a laboratory holds at most %d hosts", maxHosts)
	}
	h, err := newHost(l, name, forwards)
	if err != nil {
		return nil, fmt.Errorf("make host %s: %w", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts = append(l.hosts, h)
	l.byName[name] = h
	return h, nil
}

// close ends every process, takes the network down and removes the state.
func (l *Lab) close() error {
	var errs []error
	for _, d := range l.delays {
		errs = append(errs, d.close())
	}
	for _, s := range l.served {
		errs = append(errs, s.Close())
	}
	hosts := l.Hosts()
	for _, h := range hosts {
		errs = append(errs, h.endProcesses(5*time.Second))
	}
	for _, h := range hosts {
		errs = append(errs, h.close())
	}
	errs = append(errs, os.RemoveAll(l.dir))
	return errors.Join(errs...)
}

// tails shows the end of every program's log.
func (l *Lab) tails(show func(string)) {
	for _, h := range l.Hosts() {
		for _, p := range h.Programs() {
			show(fmt.Sprintf("--- %s: %s (%s)\n%s", h.name, filepath.Base(p.cmd.Path), p.state(), p.log.tail(tailBytes)))
		}
	}
}
