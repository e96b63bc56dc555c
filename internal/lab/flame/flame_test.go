package main

import (
	"bytes"
	"strings"
	"testing"
)

const script = `cvland 12 [001] 5.1: 2002002 cpu-clock:
	ffffffff8100 _copy_to_iter+0x12 ([kernel.kallsyms])
	ffffffff8101 tun_do_read+0x1 ([kernel.kallsyms])
	 4a0000 github.com/cvlan/cvlan/internal/node/tunnel.(*outbound).run+0x44 (/x/cvland)

cvland 12 [001] 5.2: 2002002 cpu-clock:
	 4b0000 golang.org/x/crypto/chacha20poly1305.chacha20Poly1305Seal.abi0+0x7 (/x/cvland)
	 4a0000 github.com/cvlan/cvlan/internal/node/tunnel.(*outbound).run+0x45 (/x/cvland)

cvland 12 [001] 5.3: 2002002 cpu-clock:
	 4a0000 github.com/cvlan/cvlan/internal/node/tunnel.(*outbound).run+0x45 (/x/cvland)
`

func TestStacksAreFoldedAndTold(t *testing.T) {
	root, err := read(strings.NewReader(script))
	if err != nil {
		t.Fatal(err)
	}
	run := root.calls[0]
	if root.total != 3 || len(root.calls) != 1 || run.name != "node/tunnel.(*outbound).run" || run.total != 3 || run.self != 1 || len(run.calls) != 2 {
		t.Fatalf("%+v %+v", root, run)
	}
	got := map[kind]int{}
	for _, s := range root.shares() {
		got[s.kind] = int(s.part*3 + 0.5)
	}
	if got[copying] != 1 || got[cipher] != 1 || got[program] != 1 || got[network] != 0 {
		t.Errorf("%v", got)
	}
	var b bytes.Buffer
	if err := draw(&b, root, "a <b>"); err != nil || !strings.Contains(b.String(), "a &lt;b&gt; (3 samples)") || strings.Count(b.String(), "<g>") != 4 {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestWithoutStacksItSaysHowToRecord(t *testing.T) {
	if _, err := read(strings.NewReader("cvland 1 [000] 1: cpu-clock:\n\n")); err == nil || !strings.Contains(err.Error(), "-g") {
		t.Error(err)
	}
}
