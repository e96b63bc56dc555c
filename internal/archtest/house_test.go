package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type pkg struct {
	ImportPath string
	Name       string
	Dir        string
	Doc        string
	GoFiles    []string
	Imports    []string
}

// packages lists the module's packages as the go command sees them on one system.
func packages(t *testing.T, goos string) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,Doc,GoFiles,Imports", module+"/...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestTheHouseStands(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, p := range packages(t, goos) {
			for _, fault := range inspect(p) {
				t.Errorf("%s: %s", goos, fault)
			}
		}
	}
}

// inspect returns what is wrong with one package.
func inspect(p pkg) (faults []string) {
	rel := strings.TrimPrefix(p.ImportPath, module+"/")
	if len(p.GoFiles) == 0 {
		return nil
	}
	r, ok := roomOf(p.ImportPath)
	if !ok {
		return []string{rel + ": has no room; put it into one, or change the house table with the reason"}
	}
	if p.Doc == "" && !generated(p) {
		faults = append(faults, rel+": has no package comment")
	}
	for _, i := range p.Imports {
		to, ours := roomOf(i)
		if !strings.HasPrefix(i, module+"/") || !ours {
			if pure(r.floor) && slices.Contains(impure, i) && !impureByRight(rel, i) && !generated(p) {
				faults = append(faults, fmt.Sprintf("%s: imports %s, but its floor is pure", rel, i))
			}
			continue
		}
		irel := strings.TrimPrefix(i, module+"/")
		if edges[r.path+" -> "+to.path] != "" || edges[rel+" -> "+irel] != "" || r.floor == workshop {
			continue
		}
		switch {
		case to.floor == workshop:
			faults = append(faults, fmt.Sprintf("%s: imports %s, which is for tests only", rel, irel))
		case to.floor < r.floor:
			faults = append(faults, fmt.Sprintf("%s: imports %s, which is on a floor above", rel, irel))
		case to.floor == r.floor && r.apart != to.apart:
			faults = append(faults, fmt.Sprintf("%s: imports its neighbour %s", rel, irel))
		case r.floor == face && !faceFloors[to.floor]:
			faults = append(faults, fmt.Sprintf("%s: imports %s; faces know only the api", rel, irel))
		}
	}
	return faults
}

func pure(f floor) bool { return f == core || f == proto || f == base }

// impureByRight are the packages whose whole idea is one of the forbidden imports. The sessions of core/wg and the pairs of core/esp are
// what the engine's workers share without a lock: their counters, and the marks and replay windows of core/marks, are atomic.
func impureByRight(rel, imported string) bool {
	switch rel {
	case "internal/base/logx", "internal/base/key":
		return imported == "log/slog"
	case "internal/core/wg", "internal/core/esp", "internal/core/marks":
		return imported == "sync/atomic"
	}
	return false
}

// generated reports whether the package's first file says that it is generated.
func generated(p pkg) bool {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, p.GoFiles[0]), nil, parser.ParseComments|parser.PackageClauseOnly)
	return err == nil && len(f.Comments) > 0 && strings.HasPrefix(f.Comments[0].Text(), "Code generated")
}

func TestTheTestCanFail(t *testing.T) {
	for want, p := range map[string]pkg{
		"has no room":               {ImportPath: module + "/internal/util", GoFiles: []string{"a.go"}, Doc: "x"},
		"no package comment":        {ImportPath: module + "/internal/core/x", GoFiles: []string{"a.go"}},
		"floor is pure":             {ImportPath: module + "/internal/core/x", GoFiles: []string{"a.go"}, Doc: "x", Imports: []string{"os"}},
		"on a floor above":          {ImportPath: module + "/internal/sys/tun", GoFiles: []string{"a.go"}, Doc: "x", Imports: []string{module + "/daemon"}},
		"imports its neighbour":     {ImportPath: module + "/relay", GoFiles: []string{"a.go"}, Doc: "x", Imports: []string{module + "/controller"}},
		"faces know only":           {ImportPath: module + "/cli", GoFiles: []string{"a.go"}, Doc: "x", Imports: []string{module + "/internal/node/engine"}},
		"for tests only":            {ImportPath: module + "/daemon", GoFiles: []string{"a.go"}, Doc: "x", Imports: []string{module + "/internal/lab"}},
		"imports its neighbour api": {ImportPath: module + "/api/local", GoFiles: []string{"a.go"}, Doc: "x", Imports: []string{module + "/api/admin"}},
	} {
		if got := strings.Join(inspect(p), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s with %v: %q, want %q in it", p.ImportPath, p.Imports, got, want)
		}
	}
}
