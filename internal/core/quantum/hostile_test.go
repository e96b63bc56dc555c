package quantum

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// tell gives side i a message as if the other side had sent it, and returns what it answers.
func (w *world) tell(i int, exchange uint64, step uint8, message []byte) (answers []disco.Message) {
	s := w.side[i]
	for _, part := range disco.Split(exchange, step, message) {
		s.m.Part(w.now, s.peer, &part, &s.out)
	}
	for _, tr := range s.out.Transmits {
		answers = append(answers, tr.Message)
	}
	s.out.Transmits = s.out.Transmits[:0]
	w.flush(i)
	return answers
}

func TestABadOfferIsNotAnswered(t *testing.T) {
	w := newWorld(t, 1)
	for what, offer := range map[string][]byte{
		"short": make([]byte, 1183), "long": make([]byte, 1185), "one byte": {1}, "the longest": make([]byte, disco.MaxParts*disco.MaxPart),
		"coefficients beyond the modulus": bytes.Repeat([]byte{0xff}, 1184),
	} {
		if got := w.tell(0, 1, stepOffer, offer); len(got) != 0 || w.side[0].keys != (Keys{}) {
			t.Errorf("%s: answered with %d datagrams", what, len(got))
		}
	}
}

func TestABadAnswerEndsTheExchangeAndAnotherBegins(t *testing.T) {
	w := newWorld(t, 1)
	w.pass = func(int, *disco.Message) bool { return false }
	w.want(0)
	x := w.side[0].m.peers[w.side[0].peer].mine
	for _, n := range []int{1, 1088, 1119, 1121} {
		if got := w.tell(0, x.id, stepAnswer, make([]byte, n)); len(got) != 0 {
			t.Errorf("an answer of %d bytes is confirmed", n)
		}
	}
	if w.tell(0, x.id+1, stepAnswer, make([]byte, 1120)); w.side[0].m.running != 1 {
		t.Error("an answer to another exchange ends ours")
	}
	if got := w.tell(0, x.id, stepAnswer, make([]byte, 1120)); len(got) != 0 || w.side[0].m.running != 0 || w.side[0].keys != (Keys{}) {
		t.Errorf("an answer without proof: %d datagrams, keys %v", len(got), w.side[0].keys)
	}
	w.pass = nil
	w.run(beginEvery + 3*w.latency)
	w.agree()
}

func TestHalvesOfTwoAnswersGiveNoKey(t *testing.T) {
	w := newWorld(t, 1)
	var first *disco.Message
	w.pass = func(from int, msg *disco.Message) bool {
		if msg.Step != stepAnswer || first != nil {
			return true
		}
		if msg.Index == 0 {
			return true
		}
		first = msg // the second half is lost, its sender restarts, and the next answer's first half is lost
		return false
	}
	w.want(0)
	w.run(3 * w.latency)
	w.boot(1)
	once := false
	w.pass = func(_ int, msg *disco.Message) bool {
		if msg.Step == stepAnswer && msg.Index == 0 && !once {
			once = true
			return false
		}
		return true
	}
	w.run(time.Minute)
	if !once {
		t.Fatal("the test tests nothing")
	}
	w.agree()
}

func TestForgedRepliesOfOtherExchangesCountForNothing(t *testing.T) {
	w := newWorld(t, 1)
	w.want(0)
	w.run(time.Minute)
	before := [2]Keys{w.side[0].keys, w.side[1].keys}
	for i := range w.side {
		for step := uint8(stepAnswer); step < stepLost+3; step++ {
			for id := range uint64(3) {
				answers := w.tell(i, id, step, make([]byte, proofSize))
				if step == stepConfirm && (len(answers) != 1 || answers[0].Step != stepLost || len(answers[0].Data) != 1) || step != stepConfirm && len(answers) != 0 {
					t.Errorf("step %d is answered with %+v", step, answers)
				}
			}
		}
	}
	if before != [2]Keys{w.side[0].keys, w.side[1].keys} {
		t.Error("the keys have changed")
	}
}

func TestAConfirmationNeedsTheKey(t *testing.T) {
	w := newWorld(t, 1)
	w.pass = func(_ int, msg *disco.Message) bool { return msg.Step != stepConfirm }
	w.want(0)
	w.run(3 * w.latency)
	s := w.side[1]
	if got := w.tell(1, s.m.peers[s.peer].theirs.id, stepConfirm, make([]byte, proofSize)); got[0].Step != stepLost {
		t.Errorf("a confirmation that proves nothing is answered with step %d", got[0].Step)
	}
	if st, _ := s.m.Status(s.peer); st.Shared {
		t.Error("the key is taken for shared")
	}
}

func TestKeysAreOfThisPairInTheseRolesOnly(t *testing.T) {
	secret, a, b := make([]byte, 32), key.WGPublic{1}, key.WGPublic{2}
	all := map[key.Preshared]bool{}
	for _, d := range []agreed{
		derive(secret, a, b, 1, []byte("o"), []byte("c")), derive(secret, b, a, 1, []byte("o"), []byte("c")), derive(secret, a, b, 2, []byte("o"), []byte("c")),
		derive(secret, a, b, 1, []byte("p"), []byte("c")), derive(secret, a, b, 1, []byte("o"), []byte("d")), derive(append([]byte{1}, secret[1:]...), a, b, 1, []byte("o"), []byte("c")),
	} {
		all[d.key] = true
		for _, proof := range [][proofSize]byte{d.answer, d.confirm, d.done} {
			all[key.RawPreshared(proof)] = true
		}
	}
	if len(all) != 24 {
		t.Errorf("of 24 derived secrets %d differ", len(all))
	}
}

func TestSecretsAreNotMoreThanTheBoundAtOnce(t *testing.T) {
	m, out := New(key.WGPublic{1}, newRandom(1)), new(Out)
	const peers = maxRunning + 100
	name := func(i int) (k key.WGPublic) {
		k[0] = 9
		binary.BigEndian.PutUint32(k[1:], uint32(i))
		return k
	}
	now := mono.Time(1)
	begun := map[key.WGPublic]bool{}
	for i := range peers {
		if err := m.Put(name(i)); err != nil {
			t.Fatal(err)
		}
		m.Want(now, name(i), out)
	}
	for at := m.Deadline(); len(begun) < peers && at < now.Add(3*Patience); at = m.Deadline() {
		if m.running > maxRunning {
			t.Fatalf("%d exchanges at once", m.running)
		}
		for _, tr := range out.Transmits {
			begun[tr.Peer] = true
		}
		out.Reset()
		m.Tick(at, out)
		if at > now.Add(80*time.Second) { // the first have had their time; the others are still wanted
			for i := maxRunning; i < peers; i++ {
				m.Want(at, name(i), out)
			}
		}
	}
	if len(begun) != peers {
		t.Errorf("%d of %d exchanges began", len(begun), peers)
	}
}

func TestPeersAreBounded(t *testing.T) {
	m := New(key.WGPublic{1}, nil)
	for i := range uint32(MaxPeers) {
		k := key.WGPublic{9}
		binary.BigEndian.PutUint32(k[1:], i)
		if err := m.Put(k); err != nil {
			t.Fatal(err)
		}
	}
	if m.Put(key.WGPublic{8}) == nil {
		t.Error("one too many was taken")
	}
}
