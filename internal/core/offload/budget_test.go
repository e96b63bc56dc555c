package offload

import "testing"

func TestTrainsCostNoAllocation(t *testing.T) {
	u := bulk(1, 2).super()
	var s Splitter
	if n := testing.AllocsPerRun(100, func() {
		if err := s.Start(u); err != nil {
			t.Fatal(err)
		}
		for s.Next() != nil {
		}
		if s.Start(&Super{Layout: Layout{Protocol: TCP}}) == nil {
			t.Fatal("nothing is taken for a train")
		}
	}); n != 0 {
		t.Errorf("%v allocations a train", n)
	}
	packets := append(bulk(1, 2).parts(), bulk(3, 4).parts()...)
	j := NewJoiner(len(packets), TCP, UDP)
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range packets {
			j.Add(p)
		}
		j.Runs()
		j.Reset()
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}
