package igd

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

var gateway = netip.MustParseAddr("192.168.1.1")

func found(location string) []byte {
	return []byte("HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nUSN: uuid:1\r\nEXT:\r\nLocation: " + location + "\r\n\r\n")
}

func TestOnlyADescriptionAtTheGatewayIsFound(t *testing.T) {
	for location, want := range map[string]string{
		"http://192.168.1.1:5000/rootDesc.xml": "192.168.1.1:5000 /rootDesc.xml",
		"http://192.168.1.1/d?x=1":             "192.168.1.1:80 /d?x=1",
		"http://192.168.1.1":                   "192.168.1.1:80 /",
		"http://192.168.1.2/d":                 "", "http://router/d": "", "https://192.168.1.1/d": "", "http://192.168.1.1@8.8.8.8/": "",
		"http://a:b@192.168.1.1/": "", "file:///etc/passwd": "", "http://192.168.1.1:0/": "", "http://192.168.1.1:99999/": "", "": "", "/d": "",
		"http://192.168.1.1/" + strings.Repeat("a", 1100): "",
	} {
		got, ok := ParseFound(found(location), gateway)
		if ok != (want != "") || ok && got.At.String()+" "+got.Path != want {
			t.Errorf("%.60s: %v, %v", location, got, ok)
		}
	}
	for name, b := range map[string][]byte{
		"a notification": []byte("NOTIFY * HTTP/1.1\r\n\r\n"), "a printer": []byte("HTTP/1.1 200 OK\r\nST: urn:printer\r\nLOCATION: http://192.168.1.1/\r\n\r\n"),
		"long": append(found("http://192.168.1.1/"), make([]byte, MaxFound)...),
	} {
		if _, ok := ParseFound(b, gateway); ok {
			t.Errorf("%s was found", name)
		}
	}
}

const device = `<?xml version="1.0" encoding="ISO-8859-1"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceList><device><serviceList>
<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><serviceId>x</serviceId><controlURL>/ctl/IPConn</controlURL></service>
<service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/ctl/L3F</controlURL></service>
<service><serviceType>urn:schemas-upnp-org:service:WANPPPConnection:2</serviceType><controlURL>http://192.168.1.1:5001/ppp</controlURL></service>
<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>http://8.8.8.8/ctl</controlURL></service>
<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1"/&gt;</serviceType><controlURL>/ctl/evil</controlURL></service>
</serviceList></device></deviceList></device></root>`

func TestDescriptionNamesTheServicesThatMapPorts(t *testing.T) {
	at := Place{netip.AddrPortFrom(gateway, 5000), "/a/rootDesc.xml?x"}
	all, err := ParseDescription([]byte(device), at, gateway)
	if err != nil || len(all) != 2 || all[0].Control.Path != "/ctl/IPConn" || all[0].Control.At != at.At || all[1].Control.At.Port() != 5001 {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, err := ParseDescription([]byte("<a><b"), at, gateway); err == nil {
		t.Error("half of it is read")
	}
	if _, err := ParseDescription(make([]byte, MaxText+1), at, gateway); err == nil {
		t.Error("no bound")
	}
	many := strings.Replace(device, "</serviceList>", strings.Repeat(strings.Split(device, "\n")[1], 50)+"</serviceList>", 1)
	if all, err := ParseDescription([]byte(many), at, gateway); err != nil || len(all) != MaxServices {
		t.Errorf("%d services, %v", len(all), err)
	}
}

func TestCallsAndReplies(t *testing.T) {
	s := Service{Type: "urn:schemas-upnp-org:service:WANIPConnection:1"}
	c := s.AddMapping(5000, 41641, netip.MustParseAddr("192.168.1.10"), 2*time.Hour)
	for _, want := range []string{"<NewExternalPort>5000</", "<NewInternalPort>41641</", "<NewInternalClient>192.168.1.10</", "<NewProtocol>UDP</", "<NewLeaseDuration>7200</"} {
		if !strings.Contains(c.Body, want) {
			t.Errorf("%q is not in %s", want, c.Body)
		}
	}
	if c.Action != `"urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping"` {
		t.Error(c.Action)
	}
	if err := walk([]byte(c.Body), func(string, string) {}); err != nil {
		t.Error(err)
	}
	for body, want := range map[string]Reply{
		`<s:Envelope><s:Body><u:R><NewExternalIPAddress> 203.0.113.5 </NewExternalIPAddress></u:R></s:Body></s:Envelope>`: {External: netip.MustParseAddr("203.0.113.5")},
		`<E><s:Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail></s:Fault></E>`:                    {Fault: Conflict},
		`<E><s:Fault></s:Fault></E>`: {Fault: 501},
		`<E/>`:                       {},
		`<E><NewExternalIPAddress>fe80::1%eth0</NewExternalIPAddress></E>`: {},
	} {
		if got, err := ParseReply([]byte(body)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}

func FuzzTexts(f *testing.F) {
	f.Add(found("http://192.168.1.1:5000/rootDesc.xml"))
	f.Add([]byte(device))
	f.Add([]byte(`<E><s:Fault><errorCode>718</errorCode></s:Fault></E>`))
	at := Place{netip.AddrPortFrom(gateway, 5000), "/rootDesc.xml"}
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, ok := ParseFound(b, gateway); ok && (p.At.Addr() != gateway || !strings.HasPrefix(p.Path, "/") || strings.ContainsAny(p.Path, " \r\n")) {
			t.Fatalf("%+v", p)
		}
		all, _ := ParseDescription(b, at, gateway)
		for _, s := range all {
			if s.Control.At.Addr() != gateway || strings.ContainsAny(s.Control.Path, " \r\n") {
				t.Fatalf("%+v", s)
			}
		}
		ParseReply(b)
	})
}
