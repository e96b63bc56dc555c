package main

import (
	"testing"

	"github.com/cvlan/cvlan/cmd/internal/verbs/verbstest"
)

func TestTheReferenceNamesEverySetting(t *testing.T) {
	var s settings
	all, _ := s.flags()
	verbstest.Reference(t, "cvland", envPrefix, defaultFile, all)
}
