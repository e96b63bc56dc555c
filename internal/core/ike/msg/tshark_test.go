package msg

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/lab/tshark"
)

// asks are the fields of tshark that believes answers from our own values.
var asks = []string{
	"isakmp.ispi", "isakmp.rspi", "isakmp.exchangetype", "isakmp.flags", "isakmp.messageid", "isakmp.length",
	"isakmp.prop.number", "isakmp.spi", "isakmp.tf.type", "isakmp.ike2.attr.key_length",
	"isakmp.key_exchange.dh_group", "isakmp.key_exchange.data", "isakmp.nonce", "isakmp.notify.msgtype", "isakmp.notify.data",
	"isakmp.delete.spi", "isakmp.id.type", "isakmp.cert.encoding", "isakmp.auth.method", "isakmp.auth.data.sig.asn1.data",
	"isakmp.cfg.attr.type", "isakmp.ts.type", "isakmp.ts.start_port", "isakmp.ts.end_port",
	"isakmp.ts.start_ipv4", "isakmp.ts.end_ipv4", "isakmp.ts.start_ipv6", "isakmp.ts.end_ipv6",
	"isakmp.frag.number", "isakmp.frag.total", "eap.code", "_ws.malformed", "_ws.expert.severity",
}

// An independent decoder reads in our messages what we meant. It knows no payload or transform that is not in an RFC, and trips
// over an identity of no bytes; the stranger is therefore left out.
func TestTsharkAgrees(t *testing.T) {
	names := []string{"init", "auth", "rekey", "sealed", "fragment", "empty"}
	var sent []tshark.Datagram
	for _, name := range names {
		sent = append(sent, tshark.Datagram{From: 1, To: 2, Port: 500, Data: encode(t, samples(t)[name])})
	}
	args := []string{"-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,", "-E", "separator=|"}
	for _, ask := range asks {
		args = append(args, "-e", ask)
	}
	out := tshark.Read(t, sent, args...)
	rows := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if len(rows) != len(names) {
		t.Fatalf("tshark saw %d messages of %d:\n%s", len(rows), len(names), out)
	}
	for i, name := range names {
		want := believes(samples(t)[name], len(sent[i].Data))
		for j, got := range strings.Split(rows[i], "|") {
			got = strings.Trim(strings.ReplaceAll(","+got+",", ",<MISSING>,", ","), ",") // no data in a notification
			if got != strings.Join(want[asks[j]], ",") {
				t.Errorf("%s: %s is %q for tshark, %q for us", name, asks[j], got, want[asks[j]])
			}
		}
	}
}

// believes is what tshark should say about m.
func believes(m Message, size int) map[string][]string {
	w := map[string][]string{}
	add := func(field, format string, args ...any) {
		w["isakmp."+field] = append(w["isakmp."+field], fmt.Sprintf(format, args...))
	}
	data := func(field string, b []byte) {
		if len(b) > 0 {
			add(field, "%s", hex.EncodeToString(b))
		}
	}
	add("ispi", "%s", m.SPIi)
	add("rspi", "%s", m.SPIr)
	add("exchangetype", "%d", m.Exchange)
	add("flags", "0x%02x", uint8(m.Flags))
	add("messageid", "0x%08x", m.ID)
	add("length", "%d", size)
	for _, p := range m.Payloads {
		switch p := p.(type) {
		case SA:
			for _, proposal := range p {
				add("prop.number", "%d", proposal.Number)
				data("spi", proposal.SPI)
				for _, tr := range proposal.Transforms {
					add("tf.type", "%d", tr.Type)
					if tr.KeyBits != 0 {
						add("ike2.attr.key_length", "%d", tr.KeyBits)
					}
				}
			}
		case KE:
			add("key_exchange.dh_group", "%d", p.Method)
			data("key_exchange.data", p.Data)
		case Nonce:
			data("nonce", p)
		case Notify:
			add("notify.msgtype", "%d", p.Kind)
			data("spi", p.SPI)
			data("notify.data", p.Data)
		case Delete:
			for _, spi := range p.SPIs {
				add("delete.spi", "%08x", spi)
			}
		case IDi:
			add("id.type", "%d", p.Kind)
		case IDr:
			add("id.type", "%d", p.Kind)
		case Cert:
			add("cert.encoding", "%d", p.Encoding)
		case Auth:
			add("auth.method", "%d", p.Method)
			algorithm, _, _ := p.Signature()
			data("auth.data.sig.asn1.data", algorithm)
		case CP:
			for _, c := range p.Attributes {
				add("cfg.attr.type", "%d", c.Kind)
			}
		case TSi:
			believeSelectors(p, add)
		case TSr:
			believeSelectors(p, add)
		case SKF:
			add("frag.number", "%d", p.Number)
			add("frag.total", "%d", p.Total)
		case EAP:
			w["eap.code"] = append(w["eap.code"], fmt.Sprint(p.Code))
		}
	}
	return w
}

func believeSelectors(all []Selector, add func(field, format string, args ...any)) {
	for _, s := range all {
		add("ts.type", "%d", s.Kind)
		add("ts.start_port", "%d", s.FromPort)
		add("ts.end_port", "%d", s.ToPort)
		family := "ipv6"
		if s.From.Is4() {
			family = "ipv4"
		}
		add("ts.start_"+family, "%s", s.From)
		add("ts.end_"+family, "%s", s.To)
	}
}
