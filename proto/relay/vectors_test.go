package relay

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors.json and docs/protocol/relay.md")

type vector struct {
	Name  string `json:"name"`
	Frame string `json:"frame"` // hexadecimal
}

type vectors struct {
	Secret     string   `json:"secret"`
	Bond       string   `json:"bond"`
	ChannelKey string   `json:"channel_7_key_k0_k1"`
	LinkKey    string   `json:"link_key_k0_k1"`
	Tag        string   `json:"tag_of_node_77"`
	Frames     []vector `json:"frames"`
}

func current(t *testing.T) vectors {
	k, link := ChannelKey(&secret, 7), LinkKey(&secret)
	v := vectors{Secret: hex.EncodeToString(secret[:]), Bond: hex.EncodeToString(bond), ChannelKey: hexWord(k.K0) + hexWord(k.K1), LinkKey: hexWord(link.K0) + hexWord(link.K1),
		Tag: hexWord(uint64(TagOf(&secret, 77)))}
	add := func(name string, f []byte) { v.Frames = append(v.Frames, vector{name, hex.EncodeToString(f)}) }
	data := make([]byte, MinData+4)
	for i := range data {
		data[i] = byte(i)
	}
	PutData(data, 7, k)
	add("data on channel 7, payload 10 11 12 ...", data)
	n, _ := NoticeOf(data, Closed, Gone)
	add("closed notice about it, reason gone", n.Append(nil, &secret))
	u, _ := NoticeOf(data, Unknown, NoReason)
	add("unknown notice about it", u.Append(nil, nil))
	PutDeliver(data, 9, TagOf(&secret, 77))
	add("the same delivered to client 9 from node 77", data)
	PutData(data, 12, link)
	add("the same sent on by a relay on channel 12 of another", data)
	names := []string{"bind without cookie", "bind with cookie", "cookie", "bound at 192.0.2.1:41641, idle 300", "open node 77", "opened channel 12", "open node 77, said to be at 192.0.2.1", "opened channel 12, it is there", "close channel 12",
		"keepalive", "alive at [2001:db8::1]:9, idle 300", "refused, absent", "bye, draining",
		"ask for a channel of tenant 5 from node 76 to node 77", "see whether the node of channel 12 is at 192.0.2.1",
		"opened channel 12, its payload sent on", "bound at 192.0.2.1:41641, idle 300, takes calls", "offered channel 13 to node 76"}
	for i, c := range controls() {
		add(names[i], c.Append(nil, &secret))
	}
	add("call node 77, payload 10 11 12 ...", call())
	add("register, version 1 alone", Hello{Min: 1, Max: 1}.Append(nil))
	add("register over that bond", introduction(t))
	w := Welcome{Version: Version, Client: 5, Idle: 300, Channels: 1024, Secret: secret}
	add("registered", w.Append(nil))
	return v
}

func hexWord(v uint64) string {
	return hex.EncodeToString([]byte{byte(v >> 56), byte(v >> 48), byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

func TestTheWireIsThatOfTheVectors(t *testing.T) {
	got, err := json.MarshalIndent(current(t), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("testdata/vectors.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/vectors.json")
	if err != nil || string(want) != string(got) {
		t.Fatalf("the frames differ from testdata/vectors.json (%v):\n%s", err, got)
	}
}
