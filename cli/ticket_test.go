package cli_test

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

// ticketMake writes a key that no controller knows: ticket join office.key
func ticketMake(ts *testscript.TestScript, _ bool, args []string) {
	kinds := map[string]ticket.Kind{"join": ticket.Join, "admin": ticket.Admin}
	writeTicket(ts, args[1], ticket.Ticket{Kind: kinds[args[0]], Addrs: []string{"127.0.0.1:1"}, ID: 7, Secret: key.NewSecret()})
}

// ticketForge changes one thing of an admin key: forge pin good.key bad.key
func ticketForge(ts *testscript.TestScript, _ bool, args []string) {
	t, err := ticket.Parse(ticket.Admin, ts.ReadFile(args[1]))
	ts.Check(err)
	switch args[0] {
	case "pin":
		t.Pin[0] ^= 1
	case "id":
		t.ID ^= 1
	}
	writeTicket(ts, args[2], t)
}

func writeTicket(ts *testscript.TestScript, file string, t ticket.Ticket) {
	text, err := t.Encode()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(file), []byte(strings.TrimSpace(text)+"\n"), 0o600))
}
