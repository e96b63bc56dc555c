package cli_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
)

// saidBy adds what an operation answers with.
func saidBy[In, Out any](all map[string]reflect.Type, op admin.Op[In, Out]) {
	all[op.ID] = reflect.TypeFor[Out]()
}

// answersOfController are the types of the controller's answers.
func answersOfController() map[string]reflect.Type {
	m := map[string]reflect.Type{}
	saidBy(m, admin.GetHealth)
	saidBy(m, admin.GetController)
	saidBy(m, admin.GetWhoami)
	saidBy(m, admin.ListTenants)
	saidBy(m, admin.CreateTenant)
	saidBy(m, admin.ListNetworks)
	saidBy(m, admin.CreateNetwork)
	saidBy(m, admin.GetNetwork)
	saidBy(m, admin.SetAccess)
	saidBy(m, admin.ChangeNetwork)
	saidBy(m, admin.DeleteNetwork)
	saidBy(m, admin.GetPolicy)
	saidBy(m, admin.SetPolicy)
	saidBy(m, admin.CheckPolicy)
	saidBy(m, admin.ComparePolicy)
	saidBy(m, admin.ExplainPolicy)
	saidBy(m, admin.GetPolicyStatus)
	saidBy(m, admin.ListPolicies)
	saidBy(m, admin.GetPolicyVersion)
	saidBy(m, admin.ListJoinKeys)
	saidBy(m, admin.CreateJoinKey)
	saidBy(m, admin.RevokeJoinKey)
	saidBy(m, admin.ListNodes)
	saidBy(m, admin.GetNode)
	saidBy(m, admin.ApproveNode)
	saidBy(m, admin.SuspendNode)
	saidBy(m, admin.RenameNode)
	saidBy(m, admin.TagNode)
	saidBy(m, admin.ChangeRoutes)
	saidBy(m, admin.DeleteNode)
	saidBy(m, admin.ListUsers)
	saidBy(m, admin.CreateUser)
	saidBy(m, admin.GetUser)
	saidBy(m, admin.ChangeUser)
	saidBy(m, admin.DeleteUser)
	saidBy(m, admin.ListGroups)
	saidBy(m, admin.CreateGroup)
	saidBy(m, admin.GetGroup)
	saidBy(m, admin.DeleteGroup)
	saidBy(m, admin.ListMembers)
	saidBy(m, admin.ChangeMembers)
	saidBy(m, admin.ListPeers)
	saidBy(m, admin.CreatePeer)
	saidBy(m, admin.GetPeer)
	saidBy(m, admin.DeletePeer)
	saidBy(m, admin.ListAPIKeys)
	saidBy(m, admin.CreateAPIKey)
	saidBy(m, admin.RevokeAPIKey)
	saidBy(m, admin.GetCA)
	saidBy(m, admin.ListCertificates)
	saidBy(m, admin.CreateCertificate)
	saidBy(m, admin.GetCertificate)
	saidBy(m, admin.RevokeCertificate)
	saidBy(m, admin.ListCRLs)
	saidBy(m, admin.RequestCertificate)
	saidBy(m, admin.InstallChain)
	saidBy(m, admin.BeginRotation)
	saidBy(m, admin.FinishRotation)
	saidBy(m, admin.ListEvents)
	saidBy(m, admin.ListRelays)
	saidBy(m, admin.CreateRelay)
	saidBy(m, admin.GetRelay)
	saidBy(m, admin.DeleteRelay)
	saidBy(m, admin.ListRelayUsage)
	return m
}

// poisonousController answers everything with poison, what is yes or no in it all "yes" or all "no", or with "empty" documents, or it "refuses"
// everything with poison. It returns the file of a key to it.
func poisonousController(t *testing.T, how string) string {
	t.Helper()
	root := trusttest.Root()
	mux := http.NewServeMux()
	types := answersOfController()
	for _, r := range admin.Routes() {
		kind, ok := types[r.ID]
		if !ok {
			t.Fatalf("%s is not among the answers here", r.ID)
		}
		out := reflect.New(kind).Elem()
		if how != "empty" {
			poisoned(out, how == "yes")
		}
		doc, _ := json.Marshal(map[string]any{})
		if body := out.FieldByName("Body"); body.IsValid() {
			doc, _ = json.Marshal(body.Interface())
		}
		mux.HandleFunc(r.Method+" "+r.Path, func(w http.ResponseWriter, _ *http.Request) {
			if how == "refuses" {
				w.Header().Set("Content-Type", admin.ProblemType)
				w.WriteHeader(http.StatusUnprocessableEntity)
				doc, _ = json.Marshal(admin.Problem{Title: poison, Detail: poison, Hint: poison, Code: admin.Code(poison)})
			}
			_, _ = w.Write(doc)
		})
	}
	s := httptest.NewUnstartedServer(mux)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*root.Mint(trust.ControllerName(trusttest.Domain, ident.New[ident.Controller]())).TLS()}}
	s.StartTLS()
	t.Cleanup(s.Close)
	text, err := ticket.Ticket{Kind: ticket.Admin, Addrs: []string{s.Listener.Addr().String()}, Pin: root.Pin(), ID: uint64(ident.New[ident.APIKey]()), Secret: key.NewSecret()}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "admin.key")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// asks are the arguments of the commands that ask the controller. NAME is poison, POLICY a document, POISON a file of poison.
var asks = map[string]string{
	"admin login": "--key-file KEY", "admin logout": "", "admin whoami": "", "admin audit": "", "admin export": "", "admin apply": "-f TENANT",
	"admin tenant create": "NAME", "admin tenant list": "",
	"admin network create": "NAME", "admin network list": "", "admin network show": "NAME", "admin network open": "NAME", "admin network close": "NAME", "admin network set": "NAME --protocol ipsec",
	"admin network delete": "NAME --yes",
	"admin key create":     "--network NAME", "admin key list": "", "admin key revoke": "NAME",
	"admin node approve": "NAME", "admin node suspend": "NAME", "admin node rename": "NAME NAME", "admin node tag": "NAME NAME", "admin node untag": "NAME NAME", "admin node list": "", "admin node show": "NAME",
	"admin node delete": "NAME --yes",
	"admin route list":  "", "admin route approve": "NAME 10.20.0.0/16", "admin route revoke": "NAME 10.20.0.0/16",
	"admin user create": "NAME", "admin user delete": "NAME --yes", "admin user set": "NAME --role admin", "admin user list": "", "admin user show": "NAME",
	"admin group create": "NAME", "admin group delete": "NAME --yes", "admin group add": "NAME NAME", "admin group remove": "NAME NAME", "admin group list": "", "admin group show": "NAME",
	"admin peer create": "NAME --network NAME --node NAME --export qr", "admin peer list": "", "admin peer show": "NAME", "admin peer delete": "NAME --yes",
	"admin relay create": "NAME --out NEW", "admin relay list": "", "admin relay show": "NAME", "admin relay usage": "", "admin relay delete": "NAME --yes",
	"admin api-key create": "NAME --role admin --out NEW", "admin api-key list": "", "admin api-key revoke": "NAME",
	"admin ca show": "", "admin ca list": "", "admin ca crl": "", "admin ca issue": "NAME --csr POISON --dns NAME --out NEW", "admin ca revoke": "NAME --yes", "admin ca request": "", "admin ca install": "POISON",
	"admin ca rotate status": "", "admin ca rotate begin": "--yes", "admin ca rotate finish": "--yes",
	"policy show": "", "policy edit": "", "policy set": "POLICY", "policy diff": "POLICY", "policy whatif": "POLICY", "policy history": "", "policy rollback": "1 --yes", "policy explain": "NAME NAME:22", "policy status": "",
	"policy check": "POISON", "policy test": "POISON", "policy fmt": "POISON", "policy import": "headscale POISON",
	"profile list": "", "profile use": "NAME", "profile add": "NAME --key-file KEY", "profile remove": "NAME",
}

// TestNobodyElseWritesToTheTerminalOfAnAdmin shows what a poisonous controller says, by every command that talks with one, and what files hold.
func TestNobodyElseWritesToTheTerminalOfAnAdmin(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	keys := map[string]string{
		"yes": poisonousController(t, "yes"), "no": poisonousController(t, "no"), "refuses": poisonousController(t, "refuses"), "empty": poisonousController(t, "empty"),
	}
	if testing.Short() {
		delete(keys, "no")
	}
	files := map[string]string{"POLICY": `{"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]}`, "POISON": poison, "TENANT": "[groups]\n"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range leaves(t) {
		path := strings.TrimPrefix(c.CommandPath(), "cvlan ")
		if strings.HasPrefix(path, "admin policy ") { // the same as policy
			continue
		}
		args, ok := asks[path]
		top, _, _ := strings.Cut(path, " ")
		switch {
		case !ok && path != "policy log" && (top == "admin" || top == "policy" || top == "profile"):
			t.Errorf("cvlan %s is not in the list of this test", path)
			continue
		case !ok:
			continue
		}
		t.Run(path, func(t *testing.T) {
			for how, key := range keys {
				environment := map[string]string{"CVLAN_ADMIN_KEY_FILE": key, "CVLAN_NETWORK": poison, "EDITOR": "true"}
				show(t, how, environment, 0, append(append([]string{"__complete"}, strings.Fields(path)...), ""))
				for _, width := range []int{0, 60} {
					line := strings.Fields(path + " " + args)
					for i, word := range line {
						switch word {
						case "NEW":
							line[i] = filepath.Join(t.TempDir(), "new")
						case "KEY":
							line[i] = key
						case "POLICY", "POISON", "TENANT":
							line[i] = filepath.Join(dir, word)
						default:
							line[i] = strings.Replace(word, "NAME", poison, 1)
						}
					}
					if width == 0 && c.Flags().Lookup("template") != nil && how == "yes" {
						show(t, how, environment, width, append(slices.Clone(line), "--template", "{{.}}"))
						show(t, how, environment, width, append(slices.Clone(line), "--json"))
					}
					show(t, how, environment, width, line)
				}
			}
		})
	}
}
