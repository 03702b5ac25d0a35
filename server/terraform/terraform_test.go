package terraform

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"
)

// terraform is a folder in which a real terraform works.
type terraform struct {
	*tfexec.Terraform
	dir  string
	vars []string // NAME=VALUE
}

// newTerraform skips the test where neither terraform nor tofu is installed.
func newTerraform(t *testing.T, vars ...string) *terraform {
	t.Helper()
	for _, name := range []string{"terraform", "tofu"} {
		bin, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		dir := t.TempDir()
		tf, err := tfexec.NewTerraform(dir, bin)
		if err != nil {
			t.Fatal(err)
		}
		return &terraform{tf, dir, vars}
	}
	t.Skip("neither terraform nor tofu is on PATH")
	return nil
}

// unpack replaces the folder's Terraform by a config's.
func (tf *terraform) unpack(t *testing.T, c *Config, edit func(string) string) {
	t.Helper()
	old, _ := filepath.Glob(filepath.Join(tf.dir, "*.tf"))
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range files(t, c) {
		if edit != nil {
			content = edit(content)
		}
		if err := os.WriteFile(filepath.Join(tf.dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// files are the contents of a config's tar.
func files(t testing.TB, c *Config) map[string]string {
	t.Helper()
	all := map[string]string{}
	for r := tar.NewReader(bytes.NewReader(c.Tar)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := all[h.Name]; ok || strings.ContainsAny(h.Name, "/\\") {
			t.Errorf("the tar has an entry %q that is there twice or leads elsewhere", h.Name)
		}
		all[h.Name] = string(content)
	}
}

func (tf *terraform) init(t *testing.T) {
	t.Helper()
	if err := tf.Init(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (tf *terraform) validate(t *testing.T) {
	t.Helper()
	out, err := tf.Validate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range out.Diagnostics {
		t.Errorf("%s: %s: %s", d.Severity, d.Summary, d.Detail)
	}
}

// plan returns what terraform would do, by address.
func (tf *terraform) plan(t *testing.T) map[string]string {
	t.Helper()
	opts := []tfexec.PlanOption{tfexec.Out("plan")}
	for _, v := range tf.vars {
		opts = append(opts, tfexec.Var(v))
	}
	if _, err := tf.Plan(context.Background(), opts...); err != nil {
		t.Fatal(err)
	}
	plan, err := tf.ShowPlanFile(context.Background(), "plan")
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]string{}
	for _, r := range plan.ResourceChanges {
		if action := actionOf(r.Change.Actions); action != "" {
			steps[r.Address] = action
		}
	}
	return steps
}

func actionOf(a tfjson.Actions) string {
	switch {
	case a.NoOp():
		return ""
	case a.Replace():
		return "replace"
	}
	return string(a[0])
}

func (tf *terraform) apply(t *testing.T) {
	t.Helper()
	if err := tf.Apply(context.Background(), tfexec.DirOrPlan("plan")); err != nil {
		t.Fatal(err)
	}
}

func (tf *terraform) destroyVars() []tfexec.DestroyOption {
	var opts []tfexec.DestroyOption
	for _, v := range tf.vars {
		opts = append(opts, tfexec.Var(v))
	}
	return opts
}
