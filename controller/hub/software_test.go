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
			"postures": {"posture:linux": ["node:os == 'linux'", "node:distro == 'debian'", "node:distroVersion >= '12'", "node:osVersion >= '6.1.0-28'"]},
			"acls": [{"action": "accept", "src": ["*"], "srcPosture": ["posture:linux"], "dst": ["*:*"]}]
		}`), me, "", ""))
		says := func(m *machine, os, kernel string) {
			h := m.hello()
			h.Software = &pb.Software{Version: "1.2", Os: os, Arch: "arm64", OsVersion: kernel, Distro: "debian", DistroVersion: "12"}
			m.dialWith(&pb.Frame{Body: &pb.Frame_Hello{Hello: h}})
			s.settle()
		}
		says(m, "windows", "10.0")
		says(other, "windows", "10.0")
		s.sees(m)
		heard := must[store.Node](s.T)(s.own.Node(s.Context(), m.node.ID))
		if heard.Attrs[acl.AttrOS] != "windows" || heard.Attrs[acl.AttrArch] != "arm64" || heard.Software != "1.2" {
			s.Errorf("%+v", heard)
		}
		says(m, "linux", "6.1.0-9-amd64")
		s.sees(m)
		says(m, "linux", "6.1.0-28-amd64")
		s.sees(m, "other+")
		events := must[[]store.Event](s.T)(s.own.Events(s.Context(), 0, 1000))
		says(m, "linux", "6.1.0-28-amd64")
		if again := must[[]store.Event](s.T)(s.own.Events(s.Context(), 0, 1000)); len(again) != len(events) {
			s.Errorf("no news was written down: %+v", again[len(events):])
		}
		s.sees(m, "other+")
	})
}
