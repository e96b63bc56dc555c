package msg

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestWhatParseWouldRefuseIsNotWritten(t *testing.T) {
	addr := netip.MustParseAddr
	transforms := []Transform{{Type: Encryption, ID: EncrAESGCM16, KeyBits: 256}}
	for name, p := range map[string]Payload{
		"a short nonce":               Nonce(fill(15, 0)),
		"an empty KE":                 KE{Method: KEP256},
		"an offer of nothing":         SA{},
		"a proposal of nothing":       SA{{Number: 1, Protocol: ProtocolIKE}},
		"proposal 0":                  SA{{Protocol: ProtocolIKE, Transforms: transforms}},
		"ESP without SPI":             SA{{Number: 1, Protocol: ProtocolESP, Transforms: transforms}},
		"a long SPI":                  SA{{Number: 1, Protocol: 9, SPI: fill(256, 0), Transforms: transforms}},
		"256 transforms":              SA{{Number: 1, Protocol: ProtocolIKE, Transforms: slices.Repeat(transforms, 256)}},
		"an attribute of 16 bits":     SA{{Number: 1, Protocol: ProtocolIKE, Transforms: []Transform{{Unknown: []Attribute{{Type: 0x8001}}}}}},
		"a key length among unknowns": SA{{Number: 1, Protocol: ProtocolIKE, Transforms: []Transform{{KeyBits: 1, Unknown: []Attribute{{Type: keyLength, Value: 1}}}}}},
		"a huge attribute":            SA{{Number: 1, Protocol: ProtocolIKE, Transforms: []Transform{{Unknown: []Attribute{{Long: fill(1<<16, 0)}}}}}},
		"huge together":               SA{{Number: 1, Protocol: ProtocolIKE, Transforms: []Transform{{Unknown: slices.Repeat([]Attribute{{Long: fill(1<<15, 0)}}, 2)}}}},
		"no selectors":                TSi{},
		"256 selectors":               TSr(slices.Repeat([]Selector{PrefixSelector(netip.MustParsePrefix("10.0.0.0/8"))}, 256)),
		"a selector of no addresses":  TSi{{Kind: SelectIPv4}},
		"a selector of two families":  TSi{{Kind: SelectIPv4, From: addr("::1"), To: addr("::2")}},
		"a huge unknown selector":     TSi{{Kind: 9, Unknown: fill(1<<16, 0)}},
		"257 settings":                CP{Attributes: make([]Config, 257)},
		"a huge setting":              CP{Attributes: []Config{{Value: fill(1<<16, 0)}}},
		"a setting of 16 bits":        CP{Attributes: []Config{{Kind: 0x8001}}},
		"257 SPIs":                    Delete{Protocol: ProtocolESP, SPIs: make([]uint32, 257)},
		"SPIs of IKE":                 Delete{Protocol: ProtocolIKE, SPIs: make([]uint32, 1)},
		"a notification's long SPI":   Notify{SPI: fill(256, 0)},
		"a huge EAP packet":           EAP{Code: EAPRequest, Data: fill(1<<16, 0)},
		"an EAP request of nothing":   EAP{Code: EAPRequest},
		"an empty SK":                 SK{},
		"fragment 2 of 1":             SKF{Number: 2, Total: 1, Body: fill(1, 0)},
		"a huge payload":              Vendor(fill(1<<16, 0)),
		"an end in the middle":        Unknown{Kind: NoPayload, Body: fill(1, 0)},
		"no identity":                 IDi{Kind: IDFQDN},
		"no certificate":              Cert{Encoding: CertX509},
		"an empty AUTH":               Auth{Method: AuthSharedKey},
		"a bare signature":            Auth{Method: AuthSignature, Data: []byte{9}},
	} {
		b := []byte("before")
		got, err := Message{header(IKEAuth, 0, 1), []Payload{p}}.Append(b)
		if err == nil || string(got) != "before" {
			t.Errorf("%s: written as %x, %v", name, got, err)
		}
		checkWriteError(t, err)
		if _, got, err := AppendChain(b, []Payload{p}); string(got) != "before" || err == nil {
			t.Errorf("%s: written inside as %x, %v", name, got, err)
		}
	}
	if _, err := (Message{Payloads: initRequest().Payloads}).Append(nil); err == nil {
		t.Error("a message of nobody is written")
	}
	if _, err := (Message{header(IKEAuth, 0, 1), slices.Repeat([]Payload{Vendor("v")}, MaxPayloads+1)}).Append(nil); err == nil {
		t.Error("too many payloads are written")
	}
	if _, err := (Message{header(IKEAuth, 0, 1), slices.Repeat([]Payload{Vendor(fill(1<<14, 0))}, 3)}).Append(nil); err == nil {
		t.Error("a message longer than we read is written")
	}
	if _, err := (Message{header(IKEAuth, 0, 1), []Payload{SK{Body: fill(9, 0)}, Vendor("v")}}).Append(nil); err == nil {
		t.Error("a payload behind SK is written")
	}
}

func checkWriteError(t *testing.T, err error) {
	t.Helper()
	var e *EncodeError
	if errors.As(err, &e) {
		if e.Where == "" || e.Why == "" || !strings.HasPrefix(err.Error(), "write ike message: ") {
			t.Errorf("%+v", e)
		}
		return
	}
	checkError(t, err, 1<<20)
}

func TestSealedMessagesAreBegunAndFilled(t *testing.T) {
	h, body := header(IKEAuth, FromInitiator, 1), fill(60, 0)
	b, err := h.AppendSKF([]byte{9}, TypeIDi, 1, 3, len(body))
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, body...)[1:]
	if want := encode(t, fragmentMessage()); !bytes.Equal(b, want) {
		t.Errorf("%x, want %x", b, want)
	}
	f := fragmentMessage().Payloads[0].(SKF)
	if got := f.Associated(b); len(got) != HeaderSize+GenericSize+4 {
		t.Errorf("%x is authenticated", got)
	}
	for name, err := range map[string]error{
		"empty":          second(h.AppendSK(nil, TypeIDi, 0)),
		"negative":       second(h.AppendSK(nil, TypeIDi, -1)),
		"huge":           second(h.AppendSK(nil, TypeIDi, MaxMessage)),
		"fragment 0":     second(h.AppendSKF(nil, TypeIDi, 0, 1, 9)),
		"fragment 2 / 1": second(h.AppendSKF(nil, TypeIDi, 2, 1, 9)),
		"65 fragments":   second(h.AppendSKF(nil, TypeIDi, 1, 65, 9)),
	} {
		if err == nil {
			t.Errorf("%s is written", name)
		}
	}
}

func second(_ []byte, err error) error { return err }
