package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"

	"homelab/agent/wire"
)

// Times that terraform gets. Variables for tests.
var (
	planTime   = 45 * time.Second // and a tenth of a second per VM, then the plan counts as hung
	planTries  = 4
	applyQuiet = 5 * time.Minute  // an apply that reports no progress for so long counts as hung
	lockTime   = 10 * time.Second // that somebody else may hold the state
	initTime   = 5 * time.Minute  // providers may have to be downloaded
)

// keptBackups is how many states are kept from before and after the last
// applies.
const keptBackups = 10

// backendFile keeps the state beside the configs, of which each lies in a
// folder of its own. VM names have no underscore.
const backendFile = "agent_backend.tf"

// terraform runs terraform or tofu on one config after another, one command
// at a time; its state may be read beside that. Plan and apply are started by us and not by terraform-exec,
// which tells no process number, so that their group could not be killed.
type terraform struct {
	f    folder
	uri  string                 // of libvirt
	bin  string                 // empty until one is found; the runs'
	name atomic.Pointer[string] // "terraform 1.11.4"

	mu   sync.Mutex
	read state // as of the file that info is about
	info os.FileInfo
}

// Name is what it says that it is, such as "terraform 1.11.4"; empty until one
// is found.
func (t *terraform) Name() string {
	if name := t.name.Load(); name != nil {
		return *name
	}
	return ""
}

// program is what people call the binary.
func (t *terraform) program() string {
	name, _, _ := strings.Cut(t.Name(), " ")
	return name
}

// env is what terraform is run with: ours, with terraform's own variables,
// but nothing in it that would change which files it reads.
func (t *terraform) env(vars map[string]string) []string {
	drop := []string{"TF_DATA_DIR", "TF_WORKSPACE", "TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER", "TF_LOG_PATH", "TF_CLI_ARGS"}
	var env []string
	for _, e := range os.Environ() {
		name, value, _ := strings.Cut(e, "=")
		if name == "TF_CLI_CONFIG_FILE" && !exists(value) {
			continue // terraform would say so among what we read
		}
		if !slices.Contains(drop, name) && !strings.HasPrefix(name, "TF_CLI_ARGS_") {
			env = append(env, e)
		}
	}
	env = append(env, "TF_DATA_DIR="+t.f.path(dotFolder), "TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1")
	for name, v := range vars {
		env = append(env, "TF_VAR_"+name+"="+v)
	}
	return env
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// exec prepares a terraform-exec value for the commands that need no group.
func (t *terraform) exec(dir string, vars map[string]string) (*tfexec.Terraform, error) {
	tf, err := tfexec.NewTerraform(dir, t.bin)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for _, e := range t.env(vars) {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "TF_VAR_") { // terraform-exec refuses them; these commands need none
			env[name] = value
		}
	}
	delete(env, "TF_IN_AUTOMATION") // terraform-exec sets these
	delete(env, "TF_INPUT")
	for _, name := range tfexec.ProhibitedEnv(env) {
		delete(env, name)
	}
	return tf, errors.Join(tf.SetEnv(env), tf.SetWaitDelay(5*time.Second))
}

// variables are those that only the agent knows, as far as the config has them.
func (t *terraform) variables(accel string) map[string]string {
	vars := map[string]string{
		wire.VarDomainType: "qemu", wire.VarCPUMode: "maximum",
		wire.VarURI: t.uri, wire.VarSeeds: t.f.path(seedFolder),
	}
	if accel == accelKVM {
		vars[wire.VarDomainType], vars[wire.VarCPUMode] = "kvm", "host-passthrough"
	}
	return vars
}

// Init prepares a config's folder: where its state lies, and its providers,
// which are installed once for the same main.tf and terraform.
func (t *terraform) Init(ctx context.Context, dir string, say func(string)) error {
	backend := fmt.Sprintf("terraform {\n  backend \"local\" {\n    path = %s\n  }\n}\n", hclString(t.f.path(stateFile)))
	if err := os.WriteFile(filepath.Join(dir, backendFile), []byte(backend), 0o600); err != nil {
		return err
	}
	if err := t.mend(say); err != nil {
		return err
	}
	main, err := os.ReadFile(filepath.Join(dir, wire.MainFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	sum := sha256.Sum256([]byte(t.bin + "\x00" + t.Name() + "\x00" + string(t.f) + "\x00" + string(main)))
	want, have := hex.EncodeToString(sum[:]), ""
	if err := t.f.load(initFile, &have); err != nil {
		have = ""
	}
	lock := filepath.Join(dir, ".terraform.lock.hcl")
	kept := t.f.path("terraform.lock.hcl")
	if b, err := os.ReadFile(kept); err == nil {
		if err := os.WriteFile(lock, b, 0o600); err != nil {
			return err
		}
	}
	if have == want {
		return nil
	}
	say("preparing " + t.Name() + ": backend and providers")
	tf, err := t.exec(dir, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, initTime)
	defer cancel()
	if err := tf.Init(ctx, tfexec.Reconfigure(true)); err != nil {
		// The lock file may name a provider version that is no more wanted.
		_ = os.Remove(kept)
		return fmt.Errorf("terraform init failed: %w", err)
	}
	if err := copyFile(lock, kept); err != nil {
		return err
	}
	return t.f.save(initFile, want)
}

// hclString writes a string as an HCL literal.
func hclString(s string) string {
	b, _ := json.Marshal(s) // HCL's escapes are JSON's
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(string(b))
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return renameio.WriteFile(to, b, 0o600)
}

// command is one plan or apply under way.
type command struct {
	*process
	quiet time.Duration // without output for so long it is killed; 0 is no limit
	total time.Duration // so long in all; 0 is no limit
}

// errHung says that a command was killed because it did not come to an end.
var errHung = errors.New("terraform hung and was killed")

// Plan starts a plan of the config in dir, or of only those of its resources that
// are targets.
func (t *terraform) Plan(dir string, vars map[string]string, vms int, targets []string) (*command, error) {
	_ = t.f.forget(planFile)
	args := []string{"plan", "-json", "-input=false", "-lock-timeout=" + lockTime.String(), "-out=" + t.f.path(planFile)}
	for _, address := range targets {
		args = append(args, "-target="+address)
	}
	p, err := startProcess(t.f, dir, t.env(vars), t.bin, args...)
	if err != nil {
		return nil, err
	}
	return &command{process: p, total: (planTime + time.Duration(vms)*planTime/450).Round(time.Second)}, nil
}

// Apply starts the apply of the plan that was made last.
func (t *terraform) Apply(dir string, vars map[string]string) (*command, error) {
	p, err := startProcess(t.f, dir, t.env(vars), t.bin, "apply", "-json", "-input=false", "-lock-timeout="+lockTime.String(), t.f.path(planFile))
	if err != nil {
		return nil, err
	}
	return &command{process: p, quiet: applyQuiet}, nil
}

// Wait hands over the lines of output; it kills the group at the command's
// deadlines. What counts as progress is a line that tells of more than time
// going by.
func (c *command) Wait(line func([]byte) (progress bool)) error {
	limit := c.total
	if c.quiet > 0 {
		limit = c.quiet
	}
	hung := make(chan struct{})
	timer := time.AfterFunc(limit, func() { close(hung); c.Kill() })
	err := c.process.Wait(func(b []byte) {
		if line(b) && c.quiet > 0 && timer.Stop() {
			timer.Reset(c.quiet)
		}
	})
	if !timer.Stop() {
		select {
		case <-hung:
			return errHung
		default:
		}
	}
	return err
}

// ReadPlan reads the plan that was made last.
func (t *terraform) ReadPlan(ctx context.Context, dir string) (*tfjson.Plan, error) {
	tf, err := t.exec(dir, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	plan, err := tf.ShowPlanFile(ctx, t.f.path(planFile))
	if err != nil {
		return nil, fmt.Errorf("the plan cannot be read: %w", err)
	}
	return plan, nil
}

// Backup copies the state and keeps the last copies.
func (t *terraform) Backup(now time.Time) error {
	if err := os.MkdirAll(t.f.path(backupFolder), 0o700); err != nil {
		return err
	}
	name := stateFile + "." + now.UTC().Format("20060102T150405.000")
	if err := copyFile(t.f.path(stateFile), t.f.path(backupFolder, name)); err != nil {
		return fmt.Errorf("the state could not be backed up: %w", err)
	}
	entries, err := os.ReadDir(t.f.path(backupFolder))
	if err != nil {
		return err
	}
	for len(entries) > keptBackups { // sorted by name, which is by time
		if err := os.Remove(t.f.path(backupFolder, entries[0].Name())); err != nil {
			return err
		}
		entries = entries[1:]
	}
	return nil
}
