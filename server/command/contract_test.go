package command

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"homelab/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs a command and returns what it wrote.
func run(t testing.TB, lab Lab, args ...string) (out, errs string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	status = Run(t.Context(), lab, args, IO{In: strings.NewReader(""), Out: &o, Err: &e, Address: "192.0.2.1:22"})
	return o.String(), e.String(), status
}

func must(t testing.TB, lab Lab, args ...string) string {
	t.Helper()
	out, errs, status := run(t, lab, args...)
	if status != 0 {
		t.Fatalf("%q: status %d\n%s%s", args, status, out, errs)
	}
	return out
}

// TestEveryCommand holds all commands to what people may count on.
func TestEveryCommand(t *testing.T) {
	s := &session{lab: openLab(t), io: IO{Out: io.Discard, Err: io.Discard, Now: time.Now}}
	root := newRoot(s)
	found := map[string]bool{}
	for _, cmd := range leaves(root) {
		path := pathOf(cmd)
		found[path] = true
		if cmd.Short == "" || len(cmd.Short) > 66 || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short %q should be one short phrase", path, cmd.Short)
		}
		if !slices.Contains(slices.Concat(needs[model.RoleViewer], needs[model.RoleOperator], needs[model.RoleAdmin]), path) {
			t.Errorf("%s: say in roles.go which role it needs, and in server/access_test.go how it is tried", path)
		}
		if path != "help" && cmd.Example == "" {
			t.Errorf("%s has no example", path)
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.HasPrefix(strings.TrimSpace(line), strings.Split(path, " ")[0]) {
				t.Errorf("%s: the example %q is of another command", path, line)
			}
		}
		if strings.Contains(cmd.Use, "NAME") && cmd.ValidArgsFunction == nil && cmd.Name() != "add" {
			t.Errorf("%s does not complete its names", path)
		}
	}
	reading := []string{
		"vm list", "vm show", "hypervisor list", "hypervisor show", "profile list", "profile show", "image list", "image show",
		"pool list", "outlet list", "outlet show", "power status", "salt master list", "salt master show", "salt status", "salt keys", "config", "run list", "run show", "logs",
		"history", "agent list", "agent binaries", "user list", "key list", "settings show", "watch", "export", "hostkey",
	}
	for _, path := range reading {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil || !found[path] {
			t.Errorf("there is no %s", path)
		} else if cmd.Flags().Lookup("json") == nil {
			t.Errorf("%s has no --json", path)
		} else if cmd.Flags().Lookup("plain") == nil {
			t.Errorf("%s has no --plain", path)
		}
	}
	for _, path := range []string{
		"vm add", "vm edit", "vm remove", "vm enable", "vm disable", "vm start", "vm stop", "vm restart", "vm rebuild", "vm protect", "vm unprotect", "vm adopt",
		"hypervisor add", "hypervisor edit", "hypervisor remove", "profile add", "profile remove", "profile activate",
		"image add", "image edit", "image remove", "pool add", "pool edit", "pool remove", "outlet add", "outlet edit", "outlet remove", "outlet on", "outlet off",
		"power on", "power off", "salt master add", "salt master edit", "salt master remove", "salt setup", "salt highstate", "salt call", "salt accept", "profile edit", "plan", "apply", "approve", "cancel", "undo",
		"agent invite", "agent revoke", "hostkey rotate", "user add", "user edit", "user remove", "key add", "key edit", "key remove", "settings set",
		"agent update", "agent upload", "import homelabmanager", "backup", "restore", "hold", "release", "completion",
	} {
		if !found[path] {
			t.Errorf("there is no %s", path)
		}
	}
}

// TestNobodyIsOfferedWhatIsRefused: help and completion name what the role may.
func TestNobodyIsOfferedWhatIsRefused(t *testing.T) {
	lab := openLab(t)
	for role, want := range map[model.Role]struct{ there, gone []string }{
		model.RoleViewer:   {[]string{"vm", "history", "watch"}, []string{"apply", "undo", "backup", "hold", "config"}},
		model.RoleOperator: {[]string{"vm", "apply", "undo", "console"}, []string{"backup", "import", "config"}},
		model.RoleAdmin:    {[]string{"vm", "apply", "backup", "config"}, nil},
	} {
		as := asRole{lab, role}
		for page, text := range map[string]string{"help": must(t, as, "help"), "completion": must(t, as, "__complete", "")} {
			for _, word := range want.there {
				if !regexp.MustCompile(`(?m)^ *` + word + `\s`).MatchString(text) {
					t.Errorf("%s: %s does not name %s", role, page, word)
				}
			}
			for _, word := range want.gone {
				if regexp.MustCompile(`(?m)^ *` + word + `\s`).MatchString(text) {
					t.Errorf("%s: %s names %s", role, page, word)
				}
			}
		}
	}
	if out := must(t, asRole{lab, model.RoleViewer}, "vm", "--help"); strings.Contains(out, "remove") || !strings.Contains(out, "list") {
		t.Errorf("a viewer's help of vm: %s", out)
	}
}

// asRole is the lab of somebody with another role.
type asRole struct {
	*testLab
	role model.Role
}

func (l asRole) User() model.User { return model.User{Name: "bob", Role: l.role} }

// TestListsAreArrays: with nothing there, every list is [] and no JSON holds a
// null in a list's place.
func TestListsAreArrays(t *testing.T) {
	lab := openLab(t)
	lists := [][]string{
		{"vm", "list"},
		{"hypervisor", "list"},
		{"image", "list"},
		{"pool", "list"},
		{"outlet", "list"},
		{"power", "status"},
		{"salt", "master", "list"},
		{"salt", "status"},
		{"run", "list"},
		{"history"},
		{"agent", "list"},
		{"user", "list"},
		{"key", "list"},
	}
	for _, args := range lists {
		if out := must(t, lab, append(args, "--json")...); out != "[]\n" {
			t.Errorf("%q: %q", args, out)
		}
	}
	fill(t, lab, 1)
	for _, args := range append(lists, []string{"export"}, []string{"settings", "show"}, []string{"hypervisor", "show", "hv"}) {
		if args[0] == "history" {
			continue // what a revision holds is as it was stored
		}
		out := must(t, lab, append(args, "--json")...)
		if !json.Valid([]byte(out)) || strings.Contains(out, "null") {
			t.Errorf("%q: %s", args, out)
		}
	}
}

// TestPlain holds --plain on every command that reads to lines of words: no
// escape sequence, no box, no run of blanks that stands for a column, whatever
// the terminal.
func TestPlain(t *testing.T) {
	lab := openLab(t)
	fill(t, lab, 3)
	name := model.Names(lab.State().VMs)[0]
	for _, args := range [][]string{
		{"vm", "list"},
		{"vm", "show", name},
		{"hypervisor", "list"},
		{"hypervisor", "show", "hv"},
		{"profile", "list"},
		{"image", "list"},
		{"image", "show", "img"},
		{"pool", "list"},
		{"outlet", "list"},
		{"power", "status"},
		{"salt", "status"},
		{"run", "list"},
		{"history"},
		{"agent", "list"},
		{"user", "list"},
		{"key", "list"},
		{"settings", "show"},
	} {
		var out, errs bytes.Buffer
		stdio := IO{In: strings.NewReader(""), Out: &out, Err: &errs, PTY: true, Width: 60, Address: "192.0.2.1:22"}
		if status := Run(t.Context(), lab, append(args, "--plain"), stdio); status != 0 {
			t.Errorf("%q: status %d, %s", args, status, errs.String())
		}
		if got := out.String(); strings.ContainsAny(got, "\x1b─│━") || strings.Contains(got, "   ") {
			t.Errorf("%q: %q", args, got)
		}
	}
	if out := must(t, lab, "vm", "list", "--plain"); !strings.HasPrefix(out, "name "+name+"; state ") || strings.Count(out, "\n") != 3 {
		t.Errorf("%q", out)
	}
	if out := must(t, lab, "vm", "show", name, "--plain"); !strings.Contains(out, "\nhypervisor: hv\n") {
		t.Errorf("%q", out)
	}
	if _, errs, status := run(t, lab, "vm", "list", "--plain", "--json"); status != exitUsage || !strings.Contains(errs, "do not go together") {
		t.Errorf("status %d, %s", status, errs)
	}
}

// fill makes a lab of n VMs.
func fill(t testing.TB, lab *testLab, n int) {
	t.Helper()
	h := model.NewHypervisor("hv")
	h.Platform = model.PlatformSandbox
	edits := []model.Edit{model.Add(h), model.Add(model.Image{Name: "img", Path: "/img/i.qcow2"})}
	for i := range n {
		vm := model.NewVM("vm-" + strings.Repeat("x", 3) + string(rune('a'+i/676%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26)))
		vm.Hypervisor, vm.Image = "hv", "img"
		edits = append(edits, model.Add(vm))
	}
	if _, err := lab.Commit(t.Context(), "test", model.Edits(edits...)); err != nil {
		t.Fatal(err)
	}
}

// TestTwoAtOnce: edits that cross all happen, none overwrites another's.
func TestTwoAtOnce(t *testing.T) {
	lab := openLab(t)
	fill(t, lab, 8)
	var wg sync.WaitGroup
	for i, name := range model.Names(lab.State().VMs) {
		wg.Go(func() {
			flag := []string{"--role", "r"}
			if i%2 == 1 {
				flag = []string{"--protected"}
			}
			if out, errs, status := run(t, lab, append([]string{"vm", "edit", name}, flag...)...); status != 0 {
				t.Errorf("%s: status %d: %s%s", name, status, out, errs)
			}
		})
	}
	wg.Wait()
	for i, name := range model.Names(lab.State().VMs) {
		vm := lab.State().VMs[name]
		if vm.Protected != (i%2 == 1) || (vm.Role == "r") != (i%2 == 0) {
			t.Errorf("%s: %+v", name, vm)
		}
	}
}

// movingLab lets somebody else commit right before the first commit.
type movingLab struct {
	*testLab
	once sync.Once
	move func()
}

func (l *movingLab) Commit(ctx context.Context, via string, edit model.Edit) (model.Revision, error) {
	l.once.Do(l.move)
	return l.testLab.Commit(ctx, via, edit)
}

// TestCommitsWhatWasPreviewed: what became destructive after it was previewed
// as harmless is asked about.
func TestCommitsWhatWasPreviewed(t *testing.T) {
	lab := openLab(t)
	fill(t, lab, 1)
	name := model.Names(lab.State().VMs)[0]
	must(t, lab, "vm", "stop", name)
	moving := &movingLab{testLab: lab, move: func() { must(t, lab, "vm", "start", name) }}
	_, errs, status := run(t, moving, "vm", "edit", name, "--memory", "2GiB")
	if status != exitUsage || !strings.Contains(errs, "would be restarted") {
		t.Errorf("status %d: %s", status, errs)
	}
	if got := lab.State().VMs[name].MemoryMiB; got != 1024 {
		t.Errorf("memory is %d MiB", got)
	}
}

// TestWatch: each change is a line, and Ctrl-C or a client that goes ends it.
func TestWatch(t *testing.T) {
	lab := openLab(t)
	fill(t, lab, 1)
	name := model.Names(lab.State().VMs)[0]
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, lab, []string{"watch", "--now", "--kind", "vm"}, IO{In: strings.NewReader(""), Out: w, Err: io.Discard})
		_ = w.Close()
	}()
	lines := json.NewDecoder(r)
	next := func() event {
		var e event
		if err := lines.Decode(&e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	if e := next(); e.Name != name || e.Value == nil {
		t.Errorf("first line: %+v", e)
	}
	must(t, lab, "hold", "hv") // another kind
	must(t, lab, "vm", "edit", name, "--role", "dns")
	if e := next(); e.Value.(map[string]any)["role"] != "dns" || e.Revision != 3 {
		t.Errorf("after the edit: %+v", e)
	}
	must(t, lab, "vm", "remove", name, "--yes")
	if e := next(); e.Name != name || e.Value != nil {
		t.Errorf("after the removal: %+v", e)
	}
	stop()
	if status := <-ended; status != exitInterrupted {
		t.Errorf("status %d", status)
	}
}

// TestFollow follows a log while an agent writes it.
func TestFollow(t *testing.T) {
	lab := openLab(t)
	fill(t, lab, 0)
	started := make(chan model.Run, 1)
	lab.play = func(_ *testLab, run model.Run) { started <- run }
	lab.observe("hv", func(st *model.HypervisorStatus) { st.Agent = model.AgentOnline })
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(t.Context(), lab, []string{"apply", "hv"}, IO{In: strings.NewReader(""), Out: w, Err: w})
		_ = w.Close()
	}()
	run := <-started
	for _, word := range []string{"one", "two", "three"} {
		if err := lab.say(run, model.Record{Message: word, Level: model.LevelInfo}); err != nil {
			t.Fatal(err)
		}
		expect := word + "\n"
		got, buf := "", make([]byte, 1)
		for !strings.HasSuffix(got, expect) {
			if _, err := r.Read(buf); err != nil {
				t.Fatalf("%q never came: %q", word, got)
			}
			got += string(buf)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if err := lab.say(run, model.Record{State: model.RunFailed, Error: "no room"}); err != nil {
		t.Fatal(err)
	}
	if status := <-ended; status != exitFailed {
		t.Errorf("status %d", status)
	}
}

// TestHuge: what is far too much is refused, and not repeated.
// A name that is too long is cut wherever an error says it.
func TestLongNamesAreCut(t *testing.T) {
	lab := openLab(t)
	fill(t, lab, 1)
	long := strings.Repeat("n", 300)
	for _, argv := range [][]string{{"vm", "add", long, "--image", long}, {"vm", "show", long}, {"image", "add", long, "--path", long}} {
		_, errs, _ := run(t, lab, argv...)
		if !strings.Contains(errs, "nnn…") || strings.Contains(errs, long[:101]) {
			t.Errorf("%v: %s", argv[:2], errs)
		}
	}
	run(t, lab, "user", "add", "ann")
	run(t, lab, "key", "add", "ann", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f "+long[:200])
	if out, _, _ := run(t, lab, "key", "list", "ann"); !strings.Contains(out, "nnn…") || strings.Contains(out, long[:41]) {
		t.Error(out)
	}
}

func TestHuge(t *testing.T) {
	lab := openLab(t)
	fill(t, lab, 1)
	huge := strings.Repeat("x", 1<<20)
	for _, args := range [][]string{
		{huge},
		{"vm", huge},
		{"vm", "add", huge},
		{"vm", "show", huge},
		{"vm", "edit", "x", "--memory", huge},
		{"vm", "list", huge},
		{"run", "show", huge},
		{"power", "on", "--group", huge},
		{"vm", "add", "a", "--" + huge},
		{"key", "add", "x", huge},
	} {
		_, errs, status := run(t, lab, args...)
		if status == exitDone || len(errs) > 3000 {
			t.Errorf("%.40q: status %d and %d bytes of errors", args, status, len(errs))
		}
	}
	var errs bytes.Buffer
	endless := io.LimitReader(zeros{}, 1<<40)
	status := Run(t.Context(), lab, []string{"import", "homelabmanager"}, IO{In: endless, Out: io.Discard, Err: &errs})
	if status != exitFailed || !strings.Contains(errs.String(), "at most 16384 KiB") {
		t.Errorf("status %d: %s", status, errs.String())
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTyped(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"vm", "edit", "web", "--role", "a b"}, "vm edit web --role 'a b'"},
		{[]string{"outlet", "add", "x", "--on-url", "http://h/?k=secret", "--off_url=http://h/secret"}, "outlet add x --on-url … --off_url=…"},
		{[]string{"vm", "add", "\x1b[2J\n"}, `vm add '\x1b[2J\n'`},
		{[]string{"vm", "add", strings.Repeat("x", 5000)}, "vm add " + strings.Repeat("x", 200)},
	} {
		if got := typed(c.args); got != c.want {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
	}
}

func FuzzRun(f *testing.F) {
	for _, seed := range []string{
		"vm\x00list\x00--json", "vm\x00edit\x00web\x00--memory\x004GiB\x00--yes", "vm\x00add\x00\xff\x00--profile=a,\"b", "__complete\x00vm\x00show\x00",
		"__complete\x00vm\x00add\x00--image=", "help\x00vm\x00\x1b", "history\x00--limit\x0099999999999999", "undo\x001\x00--yes", "undo\x0018446744073709551615", "key\x00add\x00alice",
		"import\x00homelabmanager\x00--json", "logs\x00-f\x001", "power\x00off\x00--all\x00--force\x00-y", "completion\x00bash\x00--host\x00$(x)",
		"__complete", "__completeNoDesc\x00", "config\x00hv\x00--tar", "", "\x00", "-h", "--", "vm\x00--\x00list", "vm\x00edit\x00--name=x\x00web\x00--version\x00-1",
		"settings\x00set\x00--ssh-key\x00x\x00--dns=1.1.1.1", "run\x00list\x00--limit\x0018446744073709551615", "pool\x00edit\x00hv\x00default\x00--name\x00",
	} {
		f.Add(seed, "web\ry\r", true)
		f.Add(seed, `[{"model":"resources.hypervisor","pk":1,"fields":{"name":"h"}}]`, false)
	}
	lab := openLab(f)
	fill(f, lab, 2)
	f.Fuzz(func(t *testing.T, argv, stdin string, pty bool) {
		ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond) // watch and -f end by that only
		defer stop()
		var out, errs bytes.Buffer
		status := Run(ctx, lab, strings.Split(argv, "\x00"), IO{In: strings.NewReader(stdin), Out: &out, Err: &errs, PTY: pty, Width: 40, Address: "h:22"})
		switch status {
		case exitDone, exitFailed, exitUsage, exitInterrupted:
		default:
			t.Errorf("status %d", status)
		}
		if status == exitFailed || status == exitUsage {
			if errs.Len() == 0 {
				t.Errorf("%q failed without a word", argv)
			}
		}
	})
}

func BenchmarkVMList(b *testing.B) {
	lab := openLab(b)
	fill(b, lab, 1000)
	for _, args := range [][]string{{"vm", "list"}, {"vm", "list", "--json"}, {"help"}} {
		b.Run(strings.Join(args, " "), func(b *testing.B) {
			for b.Loop() {
				if status := Run(b.Context(), lab, args, IO{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}); status != 0 {
					b.Fatal(status)
				}
			}
		})
	}
}

func TestHelpFitsTheTerminal(t *testing.T) {
	const text = "Take what is there\nbut with --remove what\nis not.\n\nIn order:\n\n  one line that stays as long as it is\n"
	const want = "Take what is there but with\n--remove what is not.\n\nIn order:\n\n  one line that stays as long as it is"
	if got := reflow(text, 28); got != want {
		t.Errorf("got %q", got)
	}
}
