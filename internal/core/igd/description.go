package igd

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/netip"
	"strings"
)

// MaxServices is how many services of a device are looked at.
const MaxServices = 8

// Service is what maps ports: one of the device's connections to the outside.
type Service struct {
	Type    string
	Control Place
}

// kinds are the services that map ports.
var kinds = []string{
	"urn:schemas-upnp-org:service:WANIPConnection:",
	"urn:schemas-upnp-org:service:WANPPPConnection:",
}

// mapsPorts reports whether a service's type is one that maps ports. Only letters that need no escaping are in it.
func mapsPorts(kind string) bool {
	for _, k := range kinds {
		if version, ok := strings.CutPrefix(kind, k); ok && (version == "1" || version == "2") {
			return true
		}
	}
	return false
}

// ParseDescription reads a device's description that was found at a place, and returns the services that map ports.
func ParseDescription(b []byte, at Place, gateway netip.Addr) (all []Service, err error) {
	var kind, control string
	err = walk(b, func(name, text string) {
		switch name {
		case "serviceType":
			kind = text
		case "controlURL":
			control = text
		case "service": // its end
			if p, ok := at.resolve(control, gateway); ok && control != "" && mapsPorts(kind) && len(all) < MaxServices {
				all = append(all, Service{kind, p})
			}
			kind, control = "", ""
		}
	})
	return all, err
}

var errLong = errors.New("read what the router says: it is longer than 64 KB")

// walk calls f at the end of each element with its name, without namespace, and the text right before its end.
func walk(b []byte, f func(name, text string)) error {
	if len(b) > MaxText {
		return errLong
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // what we look for is ASCII
	text := ""
	for {
		t, err := d.RawToken()
		switch t := t.(type) {
		case xml.StartElement:
			text = ""
		case xml.CharData:
			text = strings.TrimSpace(string(t))
		case xml.EndElement:
			f(t.Name.Local, text)
			text = ""
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("read what the router says: it is no XML")
		}
	}
}
