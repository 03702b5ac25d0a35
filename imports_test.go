package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers says what each of our packages may import of the others; a package
// that is not named here fails the test, so that a new one gets its rule.
var layers = map[string][]string{
	"homelab":                  {"agent", "agent/wire", "server", "server/demo", "server/local", "model", "model/store"},
	"homelab/model":            {},
	"homelab/model/userdata":   {"model"},
	"homelab/model/store":      {"model", "model/userdata"},
	"homelab/power":            {"model"},
	"homelab/agent/wire":       {"model"},
	"homelab/agent":            {"agent/wire", "model"},
	"homelab/tui":              {"model", "tui/display"},
	"homelab/tui/display":      {},
	"homelab/server/salt":      {"model"},
	"homelab/server/terraform": {"agent/wire", "model", "model/userdata"},
	"homelab/server/command":   {"agent/wire", "model"},
	"homelab/server/console":   {"model"},
	"homelab/server/decide":    {"model"},
	"homelab/server/local":     {"agent/wire", "model/store"},
	"homelab/server/demo":      {"model", "model/store", "server"},
	"homelab/server":           {"agent/wire", "model", "model/store", "power", "tui", "tui/display", "server/command", "server/console", "server/decide", "server/salt", "server/terraform"},
}

type goPackage struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// TestImports holds the import graph to the design: model imports nothing of
// ours and nothing but the standard library; nothing but main imports both
// server and agent.
func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		checkImports(t, p)
	}
	if seen < 8 {
		t.Fatalf("go list named only %d packages", seen)
	}
}

func checkImports(t *testing.T, p goPackage) {
	t.Helper()
	allowed, ok := layers[p.ImportPath]
	if !ok {
		t.Errorf("%s has no rule in layers: say what it may import", p.ImportPath)
		return
	}
	may := map[string]bool{p.ImportPath: true} // its own external tests
	for _, a := range allowed {
		may["homelab/"+a] = true
	}
	for _, imp := range p.Imports {
		if (imp == "homelab" || strings.HasPrefix(imp, "homelab/")) && !may[imp] {
			t.Errorf("%s imports %s, which the design does not allow", p.ImportPath, imp)
		}
		if p.ImportPath == "homelab/model" && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
			t.Errorf("%s imports %s: the model uses the standard library only", p.ImportPath, imp)
		}
	}
	// Tests may use more of ours, but a server's tests never an agent's code.
	for _, imp := range append(p.TestImports, p.XTestImports...) {
		if strings.HasPrefix(p.ImportPath, "homelab/server") && imp == "homelab/agent" {
			t.Errorf("the tests of %s import %s", p.ImportPath, imp)
		}
	}
}
