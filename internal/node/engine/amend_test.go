package engine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Settings change while the tunnel goes on; a port that somebody else has is told, and taken when it is free.
func TestSettingsChangeWhileTheTunnelGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.begins(frame(s.snapshot()))
		s.settle()
		tunnel := s.tunnel
		s.engine.Amend(Settings{MTU: 1300, Port: 50000})
		if st := s.settle(); st.MTU != 1300 || st.Port != 50000 || s.host.up[st.Interface].MTU != 1300 {
			t.Errorf("%+v, and the host has %+v", st, s.host.up)
		}
		tunnel.takes(50001)
		s.engine.Amend(Settings{Port: 50001})
		st := s.settle()
		if st.Port != 50000 || st.MTU != 1380 || len(st.Warnings) != 1 || st.Warnings[0].Code != "port-not-changed" || !strings.Contains(st.Warnings[0].What, "50000") {
			t.Errorf("%+v", st)
		}
		tunnel.takes(0)
		time.Sleep(retryMost)
		if st := s.settle(); st.Port != 50001 || len(st.Warnings) != 0 {
			t.Errorf("%+v", st)
		}
		if s.tunnel != tunnel || tunnel.closed {
			t.Error("there is another tunnel")
		}
	})
}
