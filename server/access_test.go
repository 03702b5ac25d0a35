package server

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
	"homelab/server/command"
	"homelab/tui"
)

// tried is how each command is tried: its arguments behind its path, such that
// nothing but permissions can stop it before it is asked whether it may. A
// command that is not here fails the test.
var tried = map[string]string{
	"agent invite": "box", "agent binaries": "", "agent list": "", "agent update": "box", "agent upload": "< x", "agent revoke": "joined --yes", "apply": "box", "approve": "RUN", "backup": "", "cancel": "RUN",
	"completion": "bash", "config": "box", "console": "web", "export": "", "help": "", "history": "", "hold": "box --dry-run", "hostkey": "", "hosts": "", "ssh-config": "", "hostkey rotate": "",
	"hypervisor add": "new --dry-run", "hypervisor edit": "box --address 10.0.0.9 --dry-run", "hypervisor list": "", "hypervisor remove": "joined --dry-run", "hypervisor show": "box",
	"image add": "new --path /srv/i.qcow2 --dry-run", "image edit": "img --path /srv/j.qcow2 --dry-run", "image list": "", "image presets": "",
	"image prune": "--yes", "image remove": "img --dry-run", "image show": "img", "import": "< format: homelab/2\nprofiles: [{name: default, active: true}, {name: p9}]", "import homelabmanager": "< [{\"model\":\"resources.hypervisor\",\"pk\":1,\"fields\":{\"name\":\"h\"}}]",
	"key add": "vera " + spareKey + " --dry-run", "key edit": "vera vera --restrict --dry-run", "key list": "", "key remove": "vera vera --dry-run --yes", "logs": "RUN",
	"open": "vms", "outlet add": "new --driver simulated --dry-run", "outlet cycle": "plug --yes", "outlet discover": "", "outlet edit": "plug --group g --dry-run", "outlet list": "",
	"outlet off": "plug --yes", "outlet on": "plug", "outlet remove": "plug --dry-run", "outlet show": "plug", "outlet test": "plug", "plan": "box",
	"pool add": "box p2 --path /srv/p2 --dry-run", "pool edit": "box p --path /srv/q --dry-run", "pool list": "", "pool remove": "box p --dry-run",
	"power cycle": "wired --yes", "power off": "plug --yes", "power on": "plug", "power status": "",
	"profile activate": "weekend --dry-run", "profile add": "new --dry-run", "profile edit": "weekend --name w --dry-run", "profile list": "", "profile remove": "weekend --dry-run", "profile show": "weekend",
	"release": "held --dry-run", "restore": "BACKUP --dry-run", "role edit": "www --package nginx --dry-run", "role list": "", "role remove": "dns --dry-run --yes", "role show": "dns",
	"run list": "", "run show": "RUN", "run unlock": "box", "salt accept": "web-on-box --master pi", "salt call": "web test.ping", "salt highstate": "web", "salt keys": "",
	"salt master add": "new --address 10.0.0.2 --dry-run", "salt master edit": "pi --address 10.0.0.3 --dry-run", "salt master list": "", "salt master remove": "spare --dry-run", "salt master show": "pi", "salt setup": "pi", "salt status": "",
	"settings notify set": "--per-hour 3 --dry-run", "settings notify show": "", "settings notify test": "", "settings set": "--timezone Europe/Amsterdam --dry-run", "settings show": "",
	"share add": "new --server 10.0.0.4 --export /srv --mount /srv --dry-run", "share edit": "media --export /srv/m --dry-run", "share list": "", "share remove": "media --dry-run", "share show": "media",
	"undo": "REVISION --dry-run", "user add": "new --dry-run", "user edit": "vera --role operator --dry-run", "user list": "", "user remove": "vera --dry-run --yes",
	"vm add": "new --image img --hypervisor box --dry-run", "vm adopt": "web --yes", "vm disable": "web --dry-run --yes", "vm edit": "web --memory 2GiB --dry-run --yes", "vm enable": "idle --dry-run", "vm list": "", "vm move": "web --to joined --dry-run --yes", "vm protect": "web --dry-run",
	"vm rebuild": "web --dry-run --yes", "vm remove": "web --dry-run --yes", "vm restart": "web", "vm show": "web", "vm start": "idle --dry-run", "vm stop": "web --dry-run --yes",
	"vm unprotect": "safe --dry-run", "watch": "",
}

const spareKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

// furnished is a lab with something of every kind, and a run that waits.
func furnished(t *testing.T) (l *testLab, run string, labs map[model.Role]*lab) {
	l = startLab(t)
	box, held, joined, wired := sandbox("box"), sandbox("held"), sandbox("joined"), sandbox("wired")
	box.Pools = append(box.Pools, model.Pool{Name: "p", Path: "/srv/p"})
	held.Hold, wired.Outlets = true, []string{"wire"}
	vm := func(name string) model.VM {
		v := model.NewVM(name)
		v.Hypervisor, v.Image = "box", "img"
		return v
	}
	idle, safe := vm("idle"), vm("safe")
	idle.Enabled, idle.Running, safe.Protected = false, false, true
	l.commit(
		model.Add(box), model.Add(held), model.Add(joined), model.Add(model.Outlet{Name: "wire", Driver: model.DriverSimulated}), model.Add(wired),
		model.Add(model.Image{Name: "img", Path: "/srv/img.qcow2"}), model.Add(model.Image{Name: "spare", Path: "/srv/spare.qcow2"}),
		model.Add(vm("web")), model.Add(idle), model.Add(safe), model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated}), model.Add(model.Profile{Name: "weekend"}),
		model.Add(model.SaltMaster{Name: "pi", Address: "10.0.0.2"}), model.Add(model.SaltMaster{Name: "spare", Address: "10.0.0.5"}), model.Add(model.Share{Name: "media", Server: "10.0.0.4", Export: "/srv/media", Mount: "/srv/media"}),
		model.EditRole("dns", 0, func(r *model.GuestRole) error { r.Packages = []string{"unbound"}; return nil }),
	)
	l.join("joined")
	labs = map[model.Role]*lab{model.RoleAdmin: l.admin()}
	for _, role := range []model.Role{model.RoleViewer, model.RoleOperator} {
		labs[role] = l.as(l.user(string(role), role))
	}
	l.user("vera", model.RoleViewer)
	waiting, err := l.srv.store.NewRun(model.Run{Hypervisor: "box", Kind: model.RunApply, Digest: "d"}, nil)
	if err == nil {
		_, err = l.srv.store.Ingest("box", "spool", []model.Record{{Seq: 1, Run: waiting.ID, State: model.RunPlanning}, {Seq: 2, Run: waiting.ID, State: model.RunWaiting}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return l, strconv.FormatUint(waiting.ID, 10), labs
}

// TestEveryCommandAndRole runs every command as every role: it is refused to
// those that the table of commands does not name, and to nobody else.
func TestEveryCommandAndRole(t *testing.T) {
	l, run, labs := furnished(t)
	l.commit(model.Change("joined", 0, func(h *model.Hypervisor) error { h.Hold = true; return nil }))
	revision := strconv.FormatUint(l.srv.store.State().Revision, 10)
	commands := command.Commands()
	for path := range tried {
		if !slices.Contains(commands, path) && path != "help" {
			t.Errorf("there is no command %q any more", path)
		}
	}
	rank := []model.Role{model.RoleViewer, model.RoleOperator, model.RoleAdmin}
	for _, path := range commands {
		args, ok := tried[path]
		if !ok {
			t.Errorf("say in this test how %q is tried, and in command/roles.go which role it needs", path)
			continue
		}
		args, input, _ := strings.Cut(args, "< ")
		args = strings.NewReplacer("RUN", run, "REVISION", revision).Replace(args)
		if strings.Contains(args, "BACKUP ") {
			var copied bytes.Buffer
			if err := l.srv.store.Backup(&copied); err != nil {
				t.Fatal(err)
			}
			args, input = strings.ReplaceAll(args, "BACKUP ", ""), copied.String()
		}
		for i, role := range rank {
			denied, said := runAs(t, labs[role], path+" "+args, input)
			if path == "salt accept" && role == model.RoleOperator {
				continue // it looks for a pending key first, which an operator may; see SaltAccept below
			}
			if may := i >= slices.Index(rank, command.Needs(path)); denied == may {
				t.Errorf("%s, %s: refused %v, and the table says that it needs %s\n%s", path, role, denied, command.Needs(path), said)
			}
		}
	}
}

// runAs runs a command for a user until it ends or has gone on for a while, and
// tells whether it was refused.
func runAs(t *testing.T, as *lab, line, input string) (denied bool, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	var out, errs bytes.Buffer
	words, err := model.SplitCommand(line)
	if err != nil {
		t.Fatal(err)
	}
	command.Run(ctx, as, words, command.IO{In: strings.NewReader(input), Out: &out, Err: &errs, Address: "192.0.2.1:22", Screens: screens()})
	return strings.Contains(errs.String(), "has the role") || strings.Contains(errs.String(), "needs admin"), errs.String()
}

// methods is which role each method needs of what screens and commands are
// handed. A new one that is not here fails the test.
var methods = map[string]model.Role{
	"User": model.RoleViewer, "State": model.RoleViewer, "Status": model.RoleViewer, "Watch": model.RoleViewer, "Runs": model.RoleViewer, "Run": model.RoleViewer,
	"Log": model.RoleViewer, "History": model.RoleViewer, "WattHistory": model.RoleViewer, "LoadHistory": model.RoleViewer, "Sessions": model.RoleViewer, "MissingSecrets": model.RoleViewer,
	"NotifySet": model.RoleViewer, "HostKeys": model.RoleViewer, "HostKeyUnknownTo": model.RoleViewer, "Binaries": model.RoleViewer, "Editing": model.RoleViewer, "Editors": model.RoleViewer,
	"Preview": model.RoleOperator, "Commit": model.RoleOperator, "SwitchOutlet": model.RoleOperator, "CycleOutlet": model.RoleOperator, "StartRun": model.RoleOperator,
	"Approve": model.RoleOperator, "Cancel": model.RoleOperator, "RestartGuest": model.RoleOperator, "CutGuest": model.RoleOperator, "SaltApply": model.RoleOperator, "SaltCall": model.RoleOperator,
	"SaltKeys": model.RoleOperator, "TestOutlet": model.RoleOperator, "Console": model.RoleOperator, "Unlock": model.RoleOperator,
	"Undo":  model.RoleAdmin, // of what was edited
	"Audit": model.RoleAdmin, "Invite": model.RoleAdmin, "Revoke": model.RoleAdmin, "SetSecret": model.RoleAdmin, "Probe": model.RoleAdmin, "Discover": model.RoleAdmin,
	"Adopt": model.RoleAdmin, "Config": model.RoleAdmin, "Backup": model.RoleAdmin, "OpenBackup": model.RoleAdmin, "PruneImages": model.RoleAdmin, "SetNotify": model.RoleAdmin,
	"NotifyTest": model.RoleAdmin, "RotateHostKey": model.RoleAdmin, "FinishHostKey": model.RoleAdmin, "SaltAccept": model.RoleAdmin, "SaltSetup": model.RoleAdmin, "AddBinary": model.RoleAdmin, "UpdateAgent": model.RoleAdmin,
}

// TestEveryMethodAndRole calls everything that screens and commands are handed
// as every role and as one whose key is not known.
func TestEveryMethodAndRole(t *testing.T) {
	l, _, labs := furnished(t)
	l.commit(func(s *model.State) error {
		h := s.Hypervisors["box"]
		h.Address = "10.0.0.7"
		s.Hypervisors["box"] = h
		return nil
	})
	edited := l.srv.store.State().Revision
	stranger := l.srv.lab(credential{key: newKeyPair(t).PublicKey(), addr: netip.MustParseAddr("127.0.0.1")}, "x:1")
	rank := []model.Role{"", model.RoleViewer, model.RoleOperator, model.RoleAdmin}
	names := map[string]bool{}
	for _, of := range []reflect.Type{reflect.TypeFor[tui.Lab](), reflect.TypeFor[command.Lab]()} {
		for i := range of.NumMethod() {
			names[of.Method(i).Name] = true
		}
	}
	for name := range methods {
		if !names[name] {
			t.Errorf("there is no %s any more", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		need, ok := methods[name]
		if !ok {
			t.Errorf("say in this test which role %s needs", name)
			continue
		}
		if need == model.RoleViewer {
			continue // it reads; connections of who is not known are closed
		}
		for i, role := range rank {
			as := labs[role]
			if role == "" {
				as = stranger
			}
			err := call(t, as, name, edited)
			if may := i >= slices.Index(rank, need); !may && (err == nil || !strings.Contains(err.Error(), "has the role") && !strings.Contains(err.Error(), "may not connect any more")) {
				t.Errorf("%s is not refused to %q: %v", name, role, err)
			} else if may && err != nil && strings.Contains(err.Error(), "has the role") {
				t.Errorf("%s is refused to %q: %v", name, role, err)
			}
		}
	}
}

// call calls a method with arguments that name what there is, and returns its
// error.
func call(t *testing.T, as *lab, name string, edited uint64) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	method := reflect.ValueOf(as).MethodByName(name)
	words := map[string][]string{
		"Invite": {"test", "box", "h:1"}, "Revoke": {"test", "held"}, "SetSecret": {"test", "plug", "x", ""}, "Adopt": {"web"}, "RestartGuest": {"web"}, "CutGuest": {"web"}, "Config": {"box"},
		"StartRun": {"box", "plan"}, "SaltSetup": {"pi"}, "SwitchOutlet": {"plug"}, "CycleOutlet": {"plug"}, "TestOutlet": {"plug"}, "Console": {"web"}, "Probe": {"127.0.0.1:1"},
	}[name]
	args := make([]reflect.Value, method.Type().NumIn())
	for i := range args {
		of := method.Type().In(i)
		switch {
		case of == reflect.TypeFor[context.Context]():
			args[i] = reflect.ValueOf(ctx)
		case of == reflect.TypeFor[model.Edit]():
			args[i] = reflect.ValueOf(model.Edit(func(s *model.State) error { return nil }))
		case of == reflect.TypeFor[model.Terminal]():
			args[i] = reflect.ValueOf(model.Terminal{In: strings.NewReader(""), Out: io.Discard, Size: func() (int, int) { return 80, 24 }})
		case of == reflect.TypeFor[io.Writer]():
			args[i] = reflect.ValueOf(io.Discard)
		case of == reflect.TypeFor[io.Reader]():
			args[i] = reflect.ValueOf(strings.NewReader(""))
		case of.Kind() == reflect.String && len(words) > 0:
			args[i], words = reflect.ValueOf(words[0]).Convert(of), words[1:]
		case of.Kind() == reflect.Uint64 && name == "Undo":
			args[i] = reflect.ValueOf(edited)
		case of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.String:
			args[i] = reflect.ValueOf([]string{"web"})
		case of.Kind() == reflect.Uint64:
			args[i] = reflect.ValueOf(uint64(1))
		case of.Kind() == reflect.Func:
			args[i] = reflect.MakeFunc(of, func([]reflect.Value) []reflect.Value { return nil })
		default:
			args[i] = reflect.Zero(of)
		}
	}
	results := method.Call(args)
	err, _ := results[len(results)-1].Interface().(error)
	return err
}

// TestEverySubsystemAndKey opens every subsystem with every kind of key.
func TestEverySubsystemAndKey(t *testing.T) {
	l, _, _ := furnished(t)
	keys := map[string]gossh.Signer{
		"viewer": l.user("v", model.RoleViewer), "operator": l.user("o", model.RoleOperator), "admin": l.key, "agent": l.join("box"),
	}
	text, _, err := l.admin().Invite(t.Context(), "test", "held", "")
	if err != nil {
		t.Fatal(err)
	}
	token, err := wire.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	if keys["invite"], err = gossh.NewSignerFromKey(token.Key()); err != nil {
		t.Fatal(err)
	}
	may := map[string]string{wire.SubsystemAgent: "agent", wire.SubsystemTerraform: "agent", wire.SubsystemBinary: "agent", wire.SubsystemJoin: "invite"}
	for name := range l.srv.ssh.SubsystemHandlers {
		if may[name] == "" {
			t.Errorf("say in this test whose key the subsystem %s is for", name)
		}
		for who, key := range keys {
			out, status, err := subsystem(l.dial(key), name, "nonsense\n")
			if err != nil {
				t.Fatal(err)
			}
			refused := strings.Contains(out, "is for agents") || strings.Contains(out, "this subsystem is for agents") || strings.Contains(out, "has joined already") || strings.Contains(out, "may not use the subsystem")
			if refused == (may[name] == who) || refused && status != 1 {
				t.Errorf("%s, %s: status %d, %q", name, who, status, out)
			}
		}
	}
	if l.gets(newKeyPair(t)) {
		t.Error("an unknown key reaches subsystems")
	}
}
