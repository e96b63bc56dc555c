package hub

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/controller/store"
)

func (s *scene) exists(m *machine) bool {
	s.Helper()
	_, err := s.own.Node(s.Context(), m.node.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.Fatal(err)
	}
	return err == nil
}

// goesIn checks that a node is deleted when its grace is over, within a round of upkeep, and not before.
func (s *scene) goesIn(m *machine, grace time.Duration) {
	s.Helper()
	time.Sleep(grace - time.Second)
	synctest.Wait()
	if !s.exists(m) {
		s.Errorf("%s went before its time", m.name)
	}
	time.Sleep(time.Second + upkeepEvery)
	s.settle()
	if s.exists(m) {
		s.Errorf("%s is there after %v", m.name, grace+upkeepEvery)
	}
}

func TestAnEphemeralNodeGoesAfterItsSession(t *testing.T) {
	play(t, func(s *scene) {
		a, e, stays := s.machine("a"), s.machine("e", ephemeral), s.machine("stays")
		a.dial()
		stays.dial().hangUp()
		l := e.dial()
		time.Sleep(3 * EphemeralGrace)
		s.settle()
		s.sees(a, "e+", "stays")
		l.hangUp()
		s.goesIn(e, EphemeralGrace)
		s.sees(a, "stays")
		if len(s.hub.all()[0].parting) != 0 {
			s.Error("what is over is remembered")
		}
	})
}

func TestAnEphemeralNodeThatComesBackStays(t *testing.T) {
	play(t, func(s *scene) {
		e := s.machine("e", ephemeral)
		for range 5 {
			e.dial().hangUp()
			time.Sleep(EphemeralGrace - time.Minute)
		}
		l := e.dial()
		time.Sleep(2 * EphemeralGrace)
		if !s.exists(e) {
			s.Fatal("it went while it was there")
		}
		l.hangUp()
		s.goesIn(e, EphemeralGrace)
	})
}

func TestAnEphemeralNodeThatNeverCameGoesToo(t *testing.T) {
	play(t, func(s *scene) {
		s.goesIn(s.machine("e", ephemeral), EphemeralGrace)
	})
}

// The grace is counted only while the controller is up.
func TestARestartGivesEphemeralNodesTheirWholeGraceAgain(t *testing.T) {
	play(t, func(s *scene) {
		e := s.machine("e", ephemeral)
		e.dial().hangUp()
		time.Sleep(EphemeralGrace - time.Minute)
		s.ends()
		time.Sleep(EphemeralGrace)
		s.restarts()
		s.goesIn(e, EphemeralGrace)
	})
}

func TestAClockThatIsSetEndsNobody(t *testing.T) {
	play(t, func(s *scene) {
		e := s.machine("e", ephemeral)
		e.dial().hangUp()
		s.skew.Store(int64(365 * 24 * time.Hour))
		s.goesIn(e, EphemeralGrace)
	})
}

func TestAnEphemeralNodeGoesWhenTheDatabaseHealed(t *testing.T) {
	play(t, func(s *scene) {
		s.ends()
		ill := &faulty{Store: s.db}
		s.begins(ill)
		e, gone := s.machine("e", ephemeral), s.machine("gone", ephemeral)
		e.dial().hangUp()
		gone.dial().hangUp()
		s.ok(s.own.DeleteNode(s.Context(), me, gone.node.ID, 0))
		ill.set(&ill.deleting, store.ErrReadOnly)
		time.Sleep(2 * EphemeralGrace)
		if !s.exists(e) {
			s.Fatal("a database that cannot be written was written")
		}
		ill.set(&ill.deleting, nil)
		time.Sleep(upkeepEvery)
		s.settle()
		if s.exists(e) {
			s.Error("it was forgotten while the database was ill")
		}
	})
}
