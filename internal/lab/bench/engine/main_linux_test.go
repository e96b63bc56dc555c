package main

import (
	"strings"
	"testing"
	"time"
)

func TestOnePartOrAllMayBeAskedFor(t *testing.T) {
	o := options{runs: 5, each: 3 * time.Second}
	for _, name := range append(names(), "") {
		o.only = name
		if err := o.check(); err != nil {
			t.Errorf("part %q: %v", name, err)
		}
	}
	if o.only = "tcp"; !o.wants("tcp") || o.wants("small") {
		t.Error("asking for tcp does not run it alone")
	}
	if o.only = "tpc"; o.check() == nil || !strings.Contains(o.check().Error(), "say idle, tcp") {
		t.Errorf("a mistyped part is answered by %v", o.check())
	}
}

func TestEndlessBenchmarksAreRefused(t *testing.T) {
	for _, o := range []options{{runs: 0, each: time.Second}, {runs: 1000, each: time.Second}, {runs: 1}, {runs: 1, each: time.Hour}} {
		if o.check() == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestOtherPartsRunHalfAsOften(t *testing.T) {
	for runs, want := range map[int]int{1: 1, 2: 1, 3: 2, 5: 3} {
		if got := (options{runs: runs}).rounds(); got != want {
			t.Errorf("%d runs make %d rounds, want %d", runs, got, want)
		}
	}
}
