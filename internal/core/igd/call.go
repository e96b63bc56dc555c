package igd

import (
	"net/netip"
	"strconv"
	"time"
)

// Call is a SOAP call: the value of the header SOAPAction, and the body.
type Call struct {
	Action string
	Body   string
}

// description is what people read in their router's list of mappings.
const description = "CloudVLAN"

// GetExternalAddress asks for the outside address.
func (s Service) GetExternalAddress() Call { return s.call("GetExternalIPAddress", "") }

// AddMapping asks for an outside UDP port that leads to ours. A lifetime of 0 is for ever.
func (s Service) AddMapping(external, internal uint16, local netip.Addr, life time.Duration) Call {
	return s.call("AddPortMapping", element("NewRemoteHost", "")+element("NewExternalPort", port(external))+element("NewProtocol", "UDP")+
		element("NewInternalPort", port(internal))+element("NewInternalClient", local.String())+element("NewEnabled", "1")+
		element("NewPortMappingDescription", description)+element("NewLeaseDuration", strconv.Itoa(int(life/time.Second))))
}

// DeleteMapping gives the port back.
func (s Service) DeleteMapping(external uint16) Call {
	return s.call("DeletePortMapping", element("NewRemoteHost", "")+element("NewExternalPort", port(external))+element("NewProtocol", "UDP"))
}

func port(p uint16) string { return strconv.Itoa(int(p)) }

func element(name, value string) string { return "<" + name + ">" + value + "</" + name + ">" }

func (s Service) call(action, arguments string) Call {
	return Call{
		Action: `"` + s.Type + "#" + action + `"`,
		Body: `<?xml version="1.0"?>` + "\r\n" +
			`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>` +
			`<u:` + action + ` xmlns:u="` + s.Type + `">` + arguments + `</u:` + action + `></s:Body></s:Envelope>` + "\r\n",
	}
}

// Codes of a Reply's Fault that matter (WANIPConnection:2, section 2.5).
const (
	Conflict      = 718 // somebody else has the outside port
	OnlyPermanent = 725 // the device knows no lifetimes
)

// Reply is what a device answers.
type Reply struct {
	Fault    int        // 0: none
	External netip.Addr // the outside address, if it was asked for
}

// ParseReply reads an answer.
func ParseReply(b []byte) (r Reply, err error) {
	err = walk(b, func(name, text string) {
		switch name {
		case "NewExternalIPAddress":
			r.External, _ = netip.ParseAddr(text)
		case "errorCode":
			r.Fault, _ = strconv.Atoi(text)
		case "Fault":
			if r.Fault == 0 {
				r.Fault = 501 // "action failed", of a device that does not say why
			}
		}
	})
	if r.External.Zone() != "" {
		r.External = netip.Addr{}
	}
	return r, err
}
