package esp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
)

// span is a selector of a range of addresses and everything in it.
func span(from, to string) Selector {
	return Selector{ToPort: 65535, From: netip.MustParseAddr(from), To: netip.MustParseAddr(to)}
}

// upper puts a transport header into a packet.
func upper(p []byte, protocol byte, header ...byte) []byte {
	if p[0]>>4 == 4 {
		p[9] = protocol
		copy(p[20:], header)
		return p
	}
	p[6] = protocol
	copy(p[40:], header)
	return p
}

// udp is a UDP packet with ports.
func udp(p []byte, from, to uint16) []byte {
	size := uint16(len(p) - 20)
	if p[0]>>4 == 6 {
		size = uint16(len(p) - 40)
	}
	h := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, from), to)
	return upper(p, 17, append(binary.BigEndian.AppendUint16(h, size), 0, 0)...)
}

// later makes a packet of IPv4 a fragment that is not the first.
func later(p []byte) []byte {
	p[7] = 100
	return p
}

func TestSelectorsOfTheInnerPacket(t *testing.T) {
	ours4, theirs4 := span("10.77.0.2", "10.77.0.2"), span("10.77.0.0", "10.77.0.1")
	dns := Selector{Protocol: 17, FromPort: 53, ToPort: 53, From: theirs4.From, To: theirs4.To}
	opaque := Selector{Protocol: 17, FromPort: 65535, From: theirs4.From, To: theirs4.To}
	ping := Selector{Protocol: 1, FromPort: 8 << 8, ToPort: 8<<8 | 255, From: theirs4.From, To: theirs4.To}
	for name, c := range map[string]struct {
		theirs, ours []Selector
		packet       []byte
		want         bool
	}{
		"none":                         {nil, nil, sample4(40), true},
		"any of both":                  {Any(), Any(), sample6(60), true},
		"any of ipv4":                  {Any()[:1], nil, sample4(40), true},
		"any of ipv4, but ipv6":        {Any()[:1], nil, sample6(60), false},
		"any of ipv6, but ipv4":        {Any()[1:], nil, sample4(40), false},
		"source inside":                {[]Selector{theirs4}, nil, sample4(40), true},
		"source outside":               {[]Selector{ours4}, nil, sample4(40), false},
		"destination inside":           {nil, []Selector{ours4}, sample4(40), true},
		"destination outside":          {nil, []Selector{theirs4}, sample4(40), false},
		"the second":                   {[]Selector{ours4, theirs4}, []Selector{ours4}, sample4(40), true},
		"ipv6 inside":                  {[]Selector{span("fd77::", "fd77::ff")}, nil, sample6(40), true},
		"ipv6 outside":                 {[]Selector{span("fd78::", "fd78::ff")}, nil, sample6(40), false},
		"port":                         {[]Selector{dns}, nil, udp(sample4(40), 53, 9), true},
		"other port":                   {[]Selector{dns}, nil, udp(sample4(40), 9, 53), false},
		"our port":                     {nil, []Selector{{17, 53, 53, ours4.From, ours4.To}}, udp(sample4(40), 9, 53), true},
		"other protocol":               {[]Selector{dns}, nil, sample4(40), false},
		"port that cannot be seen":     {[]Selector{dns}, nil, later(udp(sample4(48), 53, 53)), false},
		"opaque, and cannot be seen":   {[]Selector{opaque}, nil, later(udp(sample4(48), 53, 53)), true},
		"opaque, but seen":             {[]Selector{opaque}, nil, udp(sample4(40), 53, 9), false},
		"any port, and cannot be seen": {[]Selector{{17, 0, 65535, theirs4.From, theirs4.To}}, nil, later(udp(sample4(48), 53, 53)), true},
		"echo":                         {[]Selector{ping}, nil, upper(sample4(40), 1, 8, 0), true},
		"echo reply":                   {[]Selector{ping}, nil, upper(sample4(40), 1, 0, 0), false},
	} {
		s, err := newSelectors(c.theirs, c.ours)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := s.allow(c.packet); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPacketOutsideOfTheSelectorsIsDropped(t *testing.T) {
	a, _ := twins(t, AES256GCM, true)
	_, b := twins(t, AES256GCM, true, func(k *Keys) { k.Ours = []Selector{span("10.77.0.3", "10.77.0.9")} })
	if _, why := b.Open(noon, sealed(a, 1, sample4(40))); why != DropSelector {
		t.Error(why)
	}
	if got, why := b.Open(noon, sealed(a, 2, nil)); why != Taken || len(got) != 0 {
		t.Error("a dummy is of no traffic, and is dropped:", why)
	}
}

func TestSelectorsThatAreNoneAreRefused(t *testing.T) {
	for name, s := range map[string]Selector{
		"nothing":              {},
		"both families":        {ToPort: 65535, From: netip.MustParseAddr("10.0.0.0"), To: netip.MustParseAddr("::1")},
		"from behind to":       span("10.0.0.2", "10.0.0.1"),
		"mapped":               span("::ffff:10.0.0.1", "::ffff:10.0.0.2"),
		"with a zone":          span("fe80::1%eth0", "fe80::2%eth0"),
		"ports the wrong way":  {FromPort: 2, ToPort: 1, From: netip.IPv4Unspecified(), To: netip.IPv4Unspecified()},
		"an end of the others": {ToPort: 65535, From: netip.MustParseAddr("10.0.0.0")},
	} {
		if _, err := newSelectors([]Selector{s}, nil); err == nil {
			t.Errorf("%s is taken", name)
		}
		if _, err := newSelectors(nil, []Selector{s}); err == nil {
			t.Errorf("%s is taken as ours", name)
		}
	}
}

// What is inside must be what the trailer says, and whole. Padding for confidentiality of traffic flows goes away.
func TestWhatIsInside(t *testing.T) {
	tail := func(p []byte, pad, next byte) []byte { return append(slices.Clone(p), pad, next) }
	tfc := append(sample4(20), make([]byte, 77)...)
	for name, c := range map[string]struct {
		body []byte
		want int // -1: refused
	}{
		"ipv4":                    {tail(sample4(20), 0, nextIPv4), 20},
		"ipv6":                    {tail(sample6(40), 0, nextIPv6), 40},
		"ipv4 called ipv6":        {tail(sample4(40), 0, nextIPv6), -1},
		"ipv6 called ipv4":        {tail(sample6(40), 0, nextIPv4), -1},
		"tcp (transport mode)":    {tail(sample4(40), 0, 6), -1},
		"dummy":                   {tail(sample4(40), 0, nextDummy), 0},
		"dummy of nothing":        {tail(nil, 0, nextDummy), 0},
		"nothing":                 {tail(nil, 0, nextIPv4), -1},
		"padding":                 {tail(append(sample4(20), 1, 2, 3), 3, nextIPv4), 20},
		"more padding than bytes": {tail(sample4(20), 21, nextIPv4), -1},
		"padding of a packet":     {tail(sample4(20), 1, nextIPv4), -1},
		"tfc padding":             {tail(tfc, 0, nextIPv4), 20},
		"cut off":                 {tail(sample4(40)[:39], 0, nextIPv4), -1},
		"half a header":           {tail(sample6(40)[:39], 0, nextIPv6), -1},
	} {
		p, ok := packet(c.body)
		if ok != (c.want >= 0) || ok && len(p) != c.want {
			t.Errorf("%s: %v, %d bytes", name, ok, len(p))
		}
	}
}

func TestKindOfDatagram(t *testing.T) {
	for name, c := range map[string]struct {
		datagram []byte
		want     Kind
	}{
		"nothing":        {nil, Nothing},
		"keepalive":      {[]byte{0xff}, Keepalive},
		"another byte":   {[]byte{0}, Nothing},
		"two keepalives": {[]byte{0xff, 0xff}, Nothing},
		"marker alone":   {make([]byte, 4), Message},
		"message":        {append(make([]byte, 4), 1, 2, 3), Message},
		"packet":         {[]byte{0x30, 0, 0, 1, 0, 0, 0, 1}, Packet},
		"short packet":   {[]byte{0x30, 0, 0, 1, 0, 0, 0}, Nothing},
	} {
		if got := KindOf(c.datagram); got != c.want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// What leaves is held to the same agreement as what comes (RFC 4301 §4.4.1): a packet of other traffic makes no datagram.
func TestAPacketOutsideTheAgreementIsNotSealed(t *testing.T) {
	ours4, theirs4 := span("10.77.0.2", "10.77.0.2"), span("10.77.0.0", "10.77.0.1")
	ka, _ := keysFor(AES256GCM, false)
	for name, c := range map[string]struct {
		theirs, ours []Selector
		packet       []byte
		want         bool
	}{
		"between both":      {[]Selector{ours4}, []Selector{theirs4}, sample4(40), true},
		"from elsewhere":    {[]Selector{ours4}, []Selector{ours4}, sample4(40), false},
		"to elsewhere":      {[]Selector{theirs4}, []Selector{theirs4}, sample4(40), false},
		"their port":        {[]Selector{{17, 53, 53, ours4.From, ours4.To}}, nil, udp(sample4(40), 9, 53), true},
		"another port":      {[]Selector{{17, 53, 53, ours4.From, ours4.To}}, nil, udp(sample4(40), 9, 54), false},
		"of another family": {[]Selector{ours4}, []Selector{theirs4}, sample6(60), false},
		"cut short":         {[]Selector{ours4}, nil, sample4(40)[:12], false},
		"of no family":      {[]Selector{ours4}, nil, make([]byte, 60), false},
		"a dummy":           {[]Selector{ours4}, []Selector{theirs4}, nil, true},
	} {
		k := ka
		k.Theirs, k.Ours = c.theirs, c.ours
		p, err := newPair(k, 1, 0, new(activity))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := len(sealed(p, 1, c.packet)) > 0; got != c.want {
			t.Errorf("%s: sealed: %v", name, got)
		}
	}
}

func TestASuiteKnowsWhatItAdds(t *testing.T) {
	for _, s := range usable() {
		most := 0
		for n := 20; n < 200; n++ {
			a, _ := twins(t, s, false)
			size := len(sealed(a, 1, sample4(n)))
			if size != s.Size(n) {
				t.Fatalf("%s: %d bytes for a packet of %d, not %d", s, size, n, s.Size(n))
			}
			if fits := s.Fits(size); fits < n || s.Size(fits) != size || s.Size(fits+1) == size {
				t.Fatalf("%s: %d bytes hold a packet of %d", s, size, fits)
			}
			most = max(most, size-n)
		}
		want := map[Suite]int{AES256CBC: 57, AES128CBC: 57, AES256CBCSHA1: 53, AES128CBCSHA1: 53}[s]
		if want == 0 {
			want = 37
		}
		if most != want || s.Fits(10) != 0 {
			t.Errorf("%s adds %d bytes", s, most)
		}
	}
}
