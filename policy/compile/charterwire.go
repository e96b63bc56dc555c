package compile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/proto/control"
)

// A Charter travels as a message of Protocol Buffers:
//
//	repeated message row = 1     { fixed64 class = 1; bool self = 2; bool ipsec = 3; uint32 in = 4; uint32 out = 5; }
//	repeated message profile = 2 { repeated uint32 entry = 1; }       // profile 1 and on: 0 is the empty one
//	repeated message entry = 3   { repeated uint32 service = 1;       // first, then last less first
//	                               bool deny = 2; sint32 priority = 3; uint32 window = 4; }
//	repeated message window = 4  { uint32 days = 1;                   // bit 0 is Sunday
//	                               repeated uint32 hours = 2;         // from, until; minutes of the day
//	                               string zone = 3; }                 // as in the time zone database
//	repeated message face = 7    { uint32 in = 1; uint32 out = 2;
//	                               repeated uint32 behind = 3; }      // in and out of each cell
//	repeated message zone = 8    { bytes prefix = 1;                  // as in proto/control
//	                               uint32 face = 2; }
//	uint64 number = 5
//	repeated uint32 rule = 6                                          // of each entry
//
// in this order. Repeated numbers are packed. Its name is the first 8 bytes of the SHA-256 of all but the last two fields, so that a charter
// that says the same under another number of the document has the same name.
const (
	charterRow, charterProfile, charterEntry, charterWindow, charterNumber, charterRule, charterFace, charterZone = 1, 2, 3, 4, 5, 6, 7, 8

	rowClass, rowSelf, rowIPsec, rowIn, rowOut        = 1, 2, 3, 4, 5
	profileEntry                                      = 1
	entryService, entryDeny, entryPriority, entryWhen = 1, 2, 3, 4
	windowDays, windowHours, windowZone               = 1, 2, 3
	faceIn, faceOut, faceBehind                       = 1, 2, 3
	zonePrefix, zoneFace                              = 1, 2
)

// MaxCharter bounds a charter's encoding in bytes.
const MaxCharter = 8 << 20

// ErrCharter: these bytes are no charter.
var ErrCharter = errors.New("policy: not a charter")

// Encode returns the charter as it travels, and its name, which is never zero.
func (c *Charter) Encode() (b []byte, name uint64) {
	for _, r := range c.Rows {
		b = appendMessage(b, charterRow, r.append(nil))
	}
	for i, l := range c.Profiles {
		if i > 0 {
			b = appendMessage(b, charterProfile, appendPacked(nil, profileEntry, l))
		}
	}
	for i := range c.Entries {
		b = appendMessage(b, charterEntry, c.Entries[i].append(nil))
	}
	for i := range c.Windows {
		b = appendMessage(b, charterWindow, appendWindow(nil, &c.Windows[i]))
	}
	for i := range c.Faces {
		b = appendMessage(b, charterFace, c.Faces[i].append(nil))
	}
	for _, z := range c.Zones {
		b = appendMessage(b, charterZone, appendNumber(appendMessage(nil, zonePrefix, control.AppendRange(nil, z.Prefix)), zoneFace, uint64(z.Face)))
	}
	sum := sha256.Sum256(b)
	b = appendNumber(b, charterNumber, c.Number)
	rules := make([]uint32, len(c.Entries))
	for i := range c.Entries {
		rules[i] = c.Entries[i].Rule
	}
	return appendPacked(b, charterRule, rules), nonzero(sum[:])
}

func (r *Row) append(b []byte) []byte {
	b = protowire.AppendFixed64(protowire.AppendTag(b, rowClass, protowire.Fixed64Type), r.Class)
	b = appendNumber(b, rowSelf, protowire.EncodeBool(r.Self))
	b = appendNumber(b, rowIPsec, protowire.EncodeBool(r.IPsec))
	b = appendNumber(b, rowIn, uint64(r.In))
	return appendNumber(b, rowOut, uint64(r.Out))
}

func (e *Entry) append(b []byte) []byte {
	var services []uint32
	for _, s := range e.Services {
		services = append(services, s.First, s.Last-s.First)
	}
	b = appendPacked(b, entryService, services)
	b = appendNumber(b, entryDeny, protowire.EncodeBool(e.Deny))
	b = appendNumber(b, entryPriority, protowire.EncodeZigZag(int64(e.Priority)))
	return appendNumber(b, entryWhen, uint64(e.Window))
}

func (f *Face) append(b []byte) []byte {
	b = appendNumber(appendNumber(b, faceIn, uint64(f.In)), faceOut, uint64(f.Out))
	var cells []uint32
	for _, x := range f.Behind {
		cells = append(cells, x.In, x.Out)
	}
	return appendPacked(b, faceBehind, cells)
}

func appendWindow(b []byte, w *acl.Window) []byte {
	days := uint64(0)
	for d, on := range w.Days {
		days |= protowire.EncodeBool(on) << d
	}
	var hours []uint32
	for _, h := range w.Hours {
		hours = append(hours, uint32(h.From), uint32(h.Until))
	}
	b = appendPacked(appendNumber(b, windowDays, days), windowHours, hours)
	return appendMessage(b, windowZone, []byte(w.Zone.String()))
}

func appendNumber(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendMessage(b []byte, field protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), body)
}

func appendPacked(b []byte, field protowire.Number, list []uint32) []byte {
	if len(list) == 0 {
		return b
	}
	var body []byte
	for _, v := range list {
		body = protowire.AppendVarint(body, uint64(v))
	}
	return appendMessage(b, field, body)
}

// DecodeCharter reads a charter. zone finds a time zone by its name. What it returns is valid: Plan and At work with it.
func DecodeCharter(b []byte, zone func(string) (*time.Location, error)) (*Charter, error) {
	if len(b) > MaxCharter {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrCharter, len(b), MaxCharter)
	}
	c := &Charter{Profiles: [][]uint32{nil}}
	var rules []uint32
	ok := fields(b, func(field protowire.Number, v uint64, body []byte) bool {
		fits := true
		switch field {
		case charterRow:
			fits = c.readRow(body)
		case charterProfile:
			fits = c.readProfile(body)
		case charterEntry:
			fits = c.readEntry(body)
		case charterWindow:
			fits = c.readWindow(body, zone)
		case charterFace:
			fits = c.readFace(body)
		case charterZone:
			fits = c.readZone(body)
		case charterNumber:
			c.Number = v
		case charterRule:
			rules, fits = unpack(rules, body)
		}
		return fits
	})
	if !ok || len(rules) > len(c.Entries) {
		return nil, fmt.Errorf("%w: a field is not what it should be", ErrCharter)
	}
	for i, r := range rules {
		c.Entries[i].Rule = r
	}
	return c, c.validate()
}

// fields calls f with every field: v for a number, body for what has a length.
func fields(b []byte, f func(field protowire.Number, v uint64, body []byte) bool) bool {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		var v uint64
		var body []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			body, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 || !f(field, v, body) {
			return false
		}
		b = b[n:]
	}
	return true
}

func unpack(list []uint32, b []byte) ([]uint32, bool) {
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 || v > 1<<32-1 {
			return nil, false
		}
		list, b = append(list, uint32(v)), b[n:]
	}
	return list, true
}

func (c *Charter) readRow(b []byte) bool {
	var r Row
	ok := fields(b, func(field protowire.Number, v uint64, _ []byte) bool {
		switch field {
		case rowClass:
			r.Class = v
		case rowSelf:
			r.Self = v != 0
		case rowIPsec:
			r.IPsec = v != 0
		case rowIn, rowOut:
			if v > 1<<32-1 {
				return false
			}
			if field == rowIn {
				r.In = uint32(v)
			} else {
				r.Out = uint32(v)
			}
		}
		return true
	})
	c.Rows = append(c.Rows, r)
	return ok
}

func (c *Charter) readProfile(b []byte) bool {
	var list []uint32
	ok := fields(b, func(field protowire.Number, _ uint64, body []byte) (ok bool) {
		if ok = true; field == profileEntry {
			list, ok = unpack(list, body)
		}
		return ok
	})
	c.Profiles = append(c.Profiles, list)
	return ok
}

func (c *Charter) readEntry(b []byte) bool {
	var e Entry
	ok := fields(b, func(field protowire.Number, v uint64, body []byte) bool {
		switch field {
		case entryService:
			list, ok := unpack(nil, body)
			if !ok || len(list)%2 != 0 {
				return false
			}
			for i := 0; i < len(list); i += 2 {
				if list[i] > acl.AllServices || list[i+1] > acl.AllServices-list[i] {
					return false
				}
				e.Services = append(e.Services, acl.Service{First: list[i], Last: list[i] + list[i+1]})
			}
		case entryDeny:
			e.Deny = v != 0
		case entryPriority:
			e.Priority = int32(protowire.DecodeZigZag(v))
		case entryWhen:
			if v > 1<<32-1 {
				return false
			}
			e.Window = uint32(v)
		}
		return true
	})
	c.Entries = append(c.Entries, e)
	return ok
}

func (c *Charter) readFace(b []byte) bool {
	var f Face
	ok := fields(b, func(field protowire.Number, v uint64, body []byte) bool {
		if v > 1<<32-1 {
			return false
		}
		switch field {
		case faceIn:
			f.In = uint32(v)
		case faceOut:
			f.Out = uint32(v)
		case faceBehind:
			list, ok := unpack(nil, body)
			for i := 0; i+1 < len(list); i += 2 {
				f.Behind = append(f.Behind, Cell{list[i], list[i+1]})
			}
			return ok && len(list)%2 == 0
		}
		return true
	})
	c.Faces = append(c.Faces, f)
	return ok
}

func (c *Charter) readZone(b []byte) bool {
	var z Zone
	ok := fields(b, func(field protowire.Number, v uint64, body []byte) (ok bool) {
		ok = true
		switch field {
		case zonePrefix:
			z.Prefix, ok = control.ParseRange(body)
		case zoneFace:
			ok = v <= 1<<32-1
			z.Face = uint32(v)
		}
		return ok
	})
	c.Zones = append(c.Zones, z)
	return ok && z.Prefix.IsValid()
}

// maxHours bounds the hours of one window, with room over what acl lets in.
const maxHours = 64

func (c *Charter) readWindow(b []byte, zone func(string) (*time.Location, error)) bool {
	var w acl.Window
	ok := fields(b, func(field protowire.Number, v uint64, body []byte) bool {
		switch field {
		case windowDays:
			for d := range w.Days {
				w.Days[d] = v>>d&1 != 0
			}
		case windowHours:
			list, ok := unpack(nil, body)
			if !ok || len(list)%2 != 0 || len(list) > 2*maxHours {
				return false
			}
			for i := 0; i < len(list); i += 2 {
				if max(list[i], list[i+1]) > 24*60 {
					return false
				}
				w.Hours = append(w.Hours, acl.Hours{From: int(list[i]), Until: int(list[i+1])})
			}
		case windowZone:
			w.Zone, _ = zone(string(body))
		}
		return true
	})
	c.Windows = append(c.Windows, w)
	return ok && w.Zone != nil
}

// validate reports what would make a Plan of the charter fail.
func (c *Charter) validate() error {
	for i, r := range c.Rows {
		if int64(max(r.In, r.Out)) >= int64(len(c.Profiles)) {
			return fmt.Errorf("%w: row %d has profiles %d and %d of %d", ErrCharter, i, r.In, r.Out, len(c.Profiles))
		}
		if i > 0 && c.Rows[i-1].compare(r) >= 0 {
			return fmt.Errorf("%w: row %d is out of order", ErrCharter, i)
		}
	}
	if err := c.validateZones(); err != nil {
		return err
	}
	p := Plan{Profiles: c.Profiles, Entries: c.Entries, Windows: c.Windows}
	if err := p.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrCharter, err)
	}
	return nil
}
