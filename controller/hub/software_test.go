package hub

import (
	"testing"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestWhatAMachineIsReachesPolicy(t *testing.T) {
	play(t, func(s *scene) {
		m, other := s.machine("m"), s.machine("other")
		must[store.Policy](s.T)(s.own.PutPolicy(s.Context(), s.office.ID, []byte(`{
			"postures": {"posture:linux": ["node:os == 'linux'"]},
			"acls": [{"action": "accept", "src": ["*"], "srcPosture": ["posture:linux"], "dst": ["*:*"]}]
		}`), me, "", ""))
		says := func(m *machine, os string) {
			h := m.hello()
			h.Software = &pb.Software{Version: "1.2", Os: os, Arch: "arm64"}
			m.dialWith(&pb.Frame{Body: &pb.Frame_Hello{Hello: h}})
			s.settle()
		}
		says(m, "windows")
		says(other, "windows")
		s.sees(m)
		heard := must[store.Node](s.T)(s.own.Node(s.Context(), m.node.ID))
		if heard.Attrs[acl.AttrOS] != "windows" || heard.Attrs[acl.AttrArch] != "arm64" || heard.Software != "1.2" {
			s.Errorf("%+v", heard)
		}
		says(m, "linux")
		s.sees(m, "other+")
		events := must[[]store.Event](s.T)(s.own.Events(s.Context(), 0, 1000))
		says(m, "linux")
		if again := must[[]store.Event](s.T)(s.own.Events(s.Context(), 0, 1000)); len(again) != len(events) {
			s.Errorf("no news was written down: %+v", again[len(events):])
		}
		s.sees(m, "other+")
	})
}
