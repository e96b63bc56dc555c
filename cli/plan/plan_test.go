package plan

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func read(t *testing.T, text string) Tenant {
	t.Helper()
	got, err := Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func names(steps []Step) string {
	var all []string
	for _, s := range steps {
		all = append(all, string(s.Verb)+" "+string(s.Kind)+" "+s.Name)
	}
	return strings.Join(all, ", ")
}

func TestStepsComeInAnOrderInWhichTheyCanBeDone(t *testing.T) {
	have := read(t, "[[group]]\nname = 'old'\n[[user]]\nlogin = 'a@x.org'\n[[user]]\nlogin = 'gone@x.org'\n[[network]]\nname = 'office'\nrange4 = '10.1.0.0/16'\npolicy = '{}'\n")
	want := read(t, "[[network]]\nname = 'lab'\npolicy = '{\"acls\": []}'\n[[network]]\nname = 'office'\npolicy = '''\n{}\n'''\n[[user]]\nlogin = 'B@x.org'\ngroups = ['group:new']\n[[user]]\nlogin = 'a@x.org'\nrole = 'admin'\n[[group]]\nname = 'group:new'\n")
	steps, err := Steps(&have, &want, false)
	if got := names(steps); err != nil || got != "create group new, create user b@x.org, change user a@x.org, create network lab, change policy lab, change policy office" {
		t.Errorf("%s, %v", got, err)
	}
	steps, _ = Steps(&have, &want, true)
	if got := names(steps[6:]); got != "delete user gone@x.org, delete group old" {
		t.Errorf("pruning: %s", got)
	}
	if steps, err := Steps(&have, &have, true); err != nil || len(steps) > 0 {
		t.Errorf("from what is to what is: %s, %v", names(steps), err)
	}
}

func TestAProtocolIsChangedOnlyWhereItIsNamed(t *testing.T) {
	have := read(t, "[[network]]\nname = 'office'\nprotocol = 'ipsec'\n[[network]]\nname = 'plant'\n")
	for text, want := range map[string]string{
		"[[network]]\nname = 'office'\n":                                 "",
		"[[network]]\nname = 'office'\nprotocol = 'ipsec'\n":             "",
		"[[network]]\nname = 'office'\nprotocol = 'any'\n":               "change network office",
		"[[network]]\nname = 'plant'\nprotocol = 'any'\n":                "",
		"[[network]]\nname = 'plant'\nprotocol = 'wireguard'\n":          "change network plant",
		"[[network]]\nname = 'lab'\nprotocol = 'ipsec'\npolicy = '{}'\n": "create network lab, change network lab, change policy lab",
	} {
		file := read(t, text)
		if steps, err := Steps(&have, &file, true); err != nil || names(steps) != want {
			t.Errorf("%s: %s, %v", text, names(steps), err)
		}
	}
	if _, err := Read([]byte("[[network]]\nname = 'office'\nprotocol = 'smoke'\n")); err == nil || !strings.Contains(err.Error(), "use any, wireguard or ipsec") {
		t.Error(err)
	}
}

func TestARangeCannotChange(t *testing.T) {
	have := read(t, "[[network]]\nname = 'office'\nrange4 = '10.1.0.0/16'\n")
	want := read(t, "[[network]]\nname = 'office'\nrange4 = '10.2.0.0/16'\nrange6 = 'fd00::/64'\n")
	if _, err := Steps(&have, &want, false); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v", err)
	}
}

func TestAFileWithFaultsIsRefusedWithAllOfThem(t *testing.T) {
	for text, want := range map[string]string{
		"[[group]]\nname = 'a'\n[[group]]\nname = 'group:a'\n[[user]]\nlogin = 'x@y'\nrole = 'king'\n[[network]]\nname = ''\n": "there twice\nrole \"king\"\nhas no name",
		"[[network]]\nname = 'n'\nrange4 = '10.0.0.1/8'\n":                                                                     "write it like",
		"[[netwrk]]\nname = 'n'\n": "line 1: there is no field netwrk",
		"[[user]\n":                "line 1, column",
		"prune = true":             "no field prune",
	} {
		_, err := Read([]byte(text))
		for part := range strings.SplitSeq(want, "\n") {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v, want %q", text, err, part)
			}
		}
	}
}

func TestRoutesAreApprovedAndRevokedAsTheyAreNamed(t *testing.T) {
	have := read(t, "[[network]]\nname = 'office'\n[[network.router]]\nnode = 'gate'\napproved = ['10.1.0.0/16', '10.2.0.0/16']\nrevoked = ['10.3.0.0/16']\n")
	for text, want := range map[string]string{
		"node = 'gate'\napproved = ['10.1.0.0/16']\nrevoked = ['10.3.0.0/16']\n": "",
		"node = 'gate'\napproved = ['10.3.0.0/16', 'FD12::/64']\n":               "change routes gate.office: approve 10.3.0.0/16, fd12::/64",
		"node = 'gate'\napproved = ['10.9.0.0/16']\nrevoked = ['10.1.0.0/16']\n": "change routes gate.office: approve 10.9.0.0/16; revoke 10.1.0.0/16",
		"node = 'late'\napproved = ['10.1.0.0/16']\n":                            "await routes late.office: no such node has joined; apply the file again when it has",
	} {
		want2 := read(t, "[[network]]\nname = 'office'\n[[network.router]]\n"+text)
		steps, err := Steps(&have, &want2, true)
		got := names(steps)
		if len(steps) > 0 {
			got += ": " + strings.Join(steps[0].Detail, "; ")
		}
		if err != nil || len(steps) > 1 || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	_, err := Read([]byte("[[network]]\nname = 'office'\n[[network.router]]\napproved = ['10.1.2.3/16', 'x']\n[[network.router]]\nnode = 'a'\napproved = ['10.1.0.0/16']\nrevoked = ['10.1.0.0/16']\n[[network.router]]\nnode = 'a'\n"))
	for _, want := range []string{"has no name", `has the route "10.1.2.3/16": write it like`, `has the route "x"`, "both approved and revoked", `the node "a.office" is there twice`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell %q", err, want)
		}
	}
}

// FuzzWhatIsWrittenIsReadTheSame is the promise of export and apply: nothing is left to do.
func FuzzWhatIsWrittenIsReadTheSame(f *testing.F) {
	f.Add("dev", "a@x.org", "{\n\t// a 'comment'\n\t\"acls\": []\n}\n", "exported")
	f.Add("x", "ü", "\n\n'''\r\n\x7f", "two\nlines")
	f.Add("", "", "it ends with '", "")
	f.Fuzz(func(t *testing.T, group, login, policy, remark string) {
		for _, s := range []string{group, login, policy, remark} {
			if strings.ToValidUTF8(s, "") != s {
				return // the controller refuses it
			}
		}
		group, login = bare(group), strings.ToLower(login)
		if bare(group) != group || strings.ToLower(login) != login {
			return
		}
		have := Tenant{Groups: []Group{{group}}, Users: []User{{Login: login, Role: "member", Groups: []string{group}}}, Networks: []Network{{Name: "n", Range4: "10.0.0.0/8", Policy: &policy,
			Routers: []Router{{Node: "gate", Approved: []string{"192.168.7.0/24", "fd12::/64"}}, {Node: "spare", Revoked: []string{"192.168.7.0/24"}}}}}}
		var b bytes.Buffer
		if err := have.Write(&b, remark); err != nil {
			t.Fatal(err)
		}
		got, err := Read(b.Bytes())
		if group == "" || login == "" {
			return
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if steps, err := Steps(&have, &got, true); err != nil || len(steps) > 0 || !reflect.DeepEqual(have, got) {
			t.Fatalf("%s %v\n%s", names(steps), err, b.String())
		}
	})
}
