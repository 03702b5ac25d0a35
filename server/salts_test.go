package server

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"homelab/model"
	"homelab/server/salt"
)

// saltLab is a lab with one VM, web on thinkpad, and a Salt master whose
// command line is played by the fakes of package salt: real processes that
// keep keys in a folder and print what is written to a file as events.
type saltLab struct {
	*testLab
	fake string
}

const webMinion = "web-on-thinkpad"

func startSaltLab(t *testing.T) *saltLab {
	t.Helper()
	bin, err := filepath.Abs("salt/testdata/bin")
	if err != nil {
		t.Fatal(err)
	}
	l := &saltLab{fake: t.TempDir()}
	for _, dir := range []string{"minions", "minions_pre", "minions_rejected", "minions_denied"} {
		if err := os.MkdirAll(filepath.Join(l.fake, "pki", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(l.fake, "events"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	l.testLab = startLab(t, func(s *Server) {
		s.salts.pki = filepath.Join(l.fake, "pki")
		s.minions.generate = smallKey
	})
	vm := model.NewVM("web")
	vm.Hypervisor, vm.Image, vm.Role = "thinkpad", "debian", "web"
	master := model.NewSaltMaster("pi")
	master.Address, master.Reach = "192.0.2.9", []string{"env", "SALT_FAKE=" + l.fake, "PATH=" + bin + ":/usr/bin:/bin"}
	l.commit(
		model.Add(sandbox("thinkpad")), model.Add(model.Image{Name: "debian", Path: "/img/debian.qcow2"}), model.Add(master), model.Add(vm),
		func(s *model.State) error { s.Settings.SaltMaster = "pi"; return nil },
	)
	return l
}

// smallKey is a key as minions have it, made faster.
func smallKey() (salt.KeyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return salt.KeyPair{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	return salt.KeyPair{
		Private: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		Public:  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	}, err
}

func (l *saltLab) key(folder, id string) string {
	text, err := os.ReadFile(filepath.Join(l.fake, "pki", folder, id))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.t.Fatal(err)
	}
	return string(text)
}

func (l *saltLab) putKey(folder, id, public string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.fake, "pki", folder, id), []byte(public), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// event lets the master say something.
func (l *saltLab) event(file, tag string, data map[string]any) {
	l.t.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		l.t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(l.fake, file), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s\t%s\n", tag, text); err != nil {
		l.t.Fatal(err)
	}
}

func (l *saltLab) vm() model.VM { return l.srv.store.State().VMs["web"] }

func (l *saltLab) minion() model.SaltStatus { return l.srv.observed.status().Minions[l.vm().ID] }

func (l *saltLab) seeded() {
	l.t.Helper()
	eventually(l.t, "the key is on the master", func() bool {
		key, ok := l.srv.minions.key(l.vm().ID)
		return ok && strings.TrimSpace(l.key("minions", webMinion)) == strings.TrimSpace(key.Public)
	})
}

// result is what state.apply returned: one state, that failed or not.
func result(id, job string, ok bool) map[string]any {
	retcode := 0
	if !ok {
		retcode = 2
	}
	return map[string]any{
		"id": id, "jid": job, "fun": "state.apply", "fun_args": []any{}, "success": ok, "retcode": retcode, "_stamp": "2026-11-22T07:38:56.000000",
		"return": map[string]any{"file_|-motd_|-/etc/motd_|-managed": map[string]any{
			"name": "/etc/motd", "__id__": "motd", "__sls__": "core", "__run_num__": 0, "result": ok, "duration": 250.0,
			"comment": map[bool]string{true: "File /etc/motd updated", false: "the disk is full"}[ok], "changes": map[string]any{"diff": "New file"},
		}},
	}
}

func TestAMinionsKeyIsOnItsMasterBeforeItsGuestNeedsIt(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	key, _ := l.srv.minions.key(l.vm().ID)
	tar, err := l.admin().Config("thinkpad")
	if err != nil {
		t.Fatal(err)
	}
	if line := strings.Split(key.Private, "\n")[1]; !strings.Contains(string(tar), line) {
		t.Error("the config does not hand the key to the guest")
	}
	if stdout, _, _ := l.run("config thinkpad"); strings.Contains(stdout, strings.Split(key.Private, "\n")[1]) {
		t.Error("the config to read holds the private key")
	}
	state, err := json.Marshal(l.srv.store.State())
	revisions, err2 := l.srv.store.Revisions(0, 100)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	history, _ := json.Marshal(revisions)
	if strings.Contains(string(state)+string(history), "PRIVATE") {
		t.Error("the desired state or its history holds a private key")
	}

	// The same key after a restart, and under another name.
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	l.start(func(s *Server) {
		s.salts.pki = filepath.Join(l.fake, "pki")
		s.minions.generate = func() (salt.KeyPair, error) { return salt.KeyPair{}, errors.New("there is one already") }
	})
	l.commit(model.Change("web", 0, func(vm *model.VM) error { vm.Name = "www"; return nil }))
	eventually(t, "the renamed VM has its key on the master", func() bool {
		return strings.TrimSpace(l.key("minions", "www-on-thinkpad")) == strings.TrimSpace(key.Public)
	})
}

func TestKeysGoWithTheirGuestsAndNotBefore(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	id := l.vm().ID
	l.commit(model.Remove[model.VM]("web"))
	m := l.srv.salts.get("pi")
	if l.srv.salts.gone(l.srv.store.State(), webMinion, id) {
		t.Error("the guest counts as gone while its hypervisor's agent is away")
	}
	l.srv.observed.update("thinkpad", func(st *model.HypervisorStatus) {
		st.Agent, st.Phase = model.AgentOnline, model.PhaseInSync
		st.Guests = []model.Guest{{ID: id, Name: "web_on_thinkpad", State: model.GuestRunning}}
	})
	if l.srv.salts.gone(l.srv.store.State(), webMinion, id) {
		t.Error("the guest counts as gone while it runs")
	}
	if l.key("minions", webMinion) == "" {
		t.Error("its key is gone already")
	}
	l.commit(model.Remove[model.Hypervisor]("thinkpad"))
	poke(m.tend)
	eventually(t, "the key of the guest that is gone is deleted", func() bool { return l.key("minions", webMinion) == "" })
	eventually(t, "and the secret with it", func() bool {
		_, ok := l.srv.store.Secret(model.Ref{Kind: model.KindMinion, Name: id}, minionKey)
		return !ok
	})
}

func TestAPendingKeyIsAcceptedByItsFingerprintOrByAPerson(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	key, _ := l.srv.minions.key(l.vm().ID)
	stranger, err := smallKey()
	if err != nil {
		t.Fatal(err)
	}
	pend := func(id, public string) {
		l.putKey("minions_pre", id, public)
		l.event("events", "salt/auth", map[string]any{"result": true, "act": "pend", "id": id, "pub": public})
	}
	if err := os.Remove(filepath.Join(l.fake, "pki", "minions", webMinion)); err != nil {
		t.Fatal(err)
	}
	pend(webMinion, key.Public)
	l.seeded()
	if err := os.Remove(filepath.Join(l.fake, "pki", "minions", webMinion)); err != nil {
		t.Fatal(err)
	}
	pend(webMinion, stranger.Public) // somebody else calls itself web
	l.seeded()

	for _, id := range []string{"rogue", "we*b"} {
		pend(id, stranger.Public)
	}
	eventually(t, "strangers are shown", func() bool {
		st := l.srv.observed.status().SaltMasters["pi"]
		return slices.Contains(st.Strangers, "rogue") && slices.Contains(st.Pending, "rogue") && slices.Contains(st.Strangers, "we*b")
	})
	if l.key("minions", "rogue") != "" {
		t.Error("a stranger was accepted")
	}
	keys, _, _ := l.run("salt keys")
	if !strings.Contains(keys, "a stranger") {
		t.Errorf("keys: %s", keys)
	}
	if _, stderr, status := l.run("salt accept rogue"); status != 2 || !strings.Contains(stderr, "nobody expects") {
		t.Errorf("a stranger is accepted without a question: status %d, %s", status, stderr)
	}
	if stdout, stderr, status := l.run("salt accept rogue --yes"); status != 0 {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if l.key("minions", "rogue") == "" {
		t.Error("it is not accepted")
	}
	if _, stderr, status := l.run("salt accept 'we*b' --yes"); status != 1 {
		t.Errorf("a pattern is taken for an ID: status %d, %s", status, stderr)
	}
	argv, err := os.ReadFile(filepath.Join(l.fake, "argv"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(argv)) {
		if strings.Contains(line, "*") {
			t.Errorf("a pattern reached a command line: %q", line)
		}
	}
}

func TestWhatTheMasterSaysShowsWithTheVM(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	eventually(t, "it is up", func() bool { return l.minion().State == model.SaltUp })
	l.event("events", "salt/job/20261122073844211824/ret/"+webMinion, result(webMinion, "20261122073844211824", false))
	eventually(t, "the failure shows", func() bool { return l.minion().State == model.SaltFailed })
	if got := l.minion().String(); got != "failed: motd: the disk is full" {
		t.Errorf("it is %q", got)
	}
	stdout, _, _ := l.run("vm show web --json")
	var vm struct {
		Status struct{ Salt model.SaltStatus }
	}
	if err := json.Unmarshal([]byte(stdout), &vm); err != nil || vm.Status.Salt.State != model.SaltFailed || vm.Status.Salt.Result == nil {
		t.Errorf("%v: %s", err, stdout)
	}
	if stdout, _, _ := l.run("salt status web"); !strings.Contains(stdout, "the disk is full") {
		t.Errorf("salt status: %s", stdout)
	}
}

func TestSaltIsOrderedOverTheSameEndpoint(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	if stdout, stderr, status := l.run("salt call web test.ping"); stdout != "web: true\n" || status != 0 {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	l.event("async.events", "salt/job/20261122073844211824/ret/"+webMinion, result(webMinion, "20261122073844211824", true))
	if stdout, stderr, status := l.run("salt highstate web"); status != 0 || !strings.Contains(stdout, "web: 1 state, 1 changed") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if _, stderr, status := l.run("salt call web nosuch.function"); status != 1 {
		t.Errorf("status %d: %s", status, stderr)
	}
	if _, stderr, status := l.run("salt highstate web nosuch"); status != 1 || !strings.Contains(stderr, "nosuch") || strings.Contains(stderr, "under way") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if err := os.Remove(filepath.Join(l.fake, "async.events")); err != nil {
		t.Fatal(err)
	}
	l.event("async.events", "salt/job/20261122073844211824/ret/"+webMinion, result(webMinion, "20261122073844211824", false))
	if stdout, stderr, status := l.run("salt highstate web"); status != 1 || !strings.Contains(stdout, "the disk is full") {
		t.Errorf("a failure has status %d: %s%s", status, stdout, stderr)
	}
}

// TestRecordedAnswersHaveTheRightStatus plays what a real salt printed, whose
// own exit status is 0 for some failures.
func TestRecordedAnswersHaveTheRightStatus(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	play := func(recording string) {
		for _, part := range []string{"stdout", "stderr"} {
			text, err := os.ReadFile("salt/testdata/records/" + recording + "." + part)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			for _, id := range []string{"web_on_thinkpad", "bad_on_thinkpad", "db_on_thinkpad"} {
				text = []byte(strings.ReplaceAll(string(text), id, webMinion))
			}
			if err := os.WriteFile(filepath.Join(l.fake, "salt.state.apply."+part), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		meta, err := os.ReadFile("salt/testdata/records/" + recording + ".meta")
		if err != nil {
			t.Fatal(err)
		}
		_, rc, _ := strings.Cut(string(meta), "rc: ")
		rc, _, _ = strings.Cut(rc, "\n")
		if err := os.WriteFile(filepath.Join(l.fake, "salt.state.apply.rc"), []byte(rc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for recording, want := range map[string]struct {
		status int
		says   string
	}{
		"apply-ok":        {0, "web: "},
		"apply-fail":      {1, "failed"},
		"apply-nosls":     {1, "No matching sls found for 'nosuch'"},
		"apply-renderbad": {1, "Jinja variable 'nosuchvar' is undefined"},
		"apply-conflict":  {1, "is running as PID"},
		"apply-down":      {1, "no answer"},
	} {
		play(recording)
		stdout, stderr, status := l.run("salt call web state.apply")
		if status != want.status || !strings.Contains(stdout, want.says) {
			t.Errorf("%s: status %d\n%s%s", recording, status, stdout, stderr)
		}
	}
	if err := os.WriteFile(filepath.Join(l.fake, "down"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"salt call web test.ping", "salt highstate web"} {
		if stdout, stderr, status := l.run(command); status != 1 || !strings.Contains(stdout+stderr, "not responding") {
			t.Errorf("%s while the master is down: status %d\n%s%s", command, status, stdout, stderr)
		}
	}
}

func TestOperatorsCallWhatIsHarmless(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	name := l.admin().User().Name
	public, fingerprint, _, err := model.ParseKey(strings.TrimSpace(string(gossh.MarshalAuthorizedKey(newKeyPair(t).PublicKey()))))
	if err != nil {
		t.Fatal(err)
	}
	l.commit(model.Add(model.User{Name: "boss", Role: model.RoleAdmin, Keys: []model.Key{{Name: "boss", PublicKey: public, Fingerprint: fingerprint}}}))
	become := func(role model.Role) {
		l.commit(model.Change(name, 0, func(u *model.User) error { u.Role = role; return nil }))
	}
	become(model.RoleOperator)
	for _, call := range []string{"web test.ping", "web state.apply", "web state.apply core test=True"} {
		if _, stderr, _ := l.run("salt call " + call); strings.Contains(stderr, "needs admin") {
			t.Errorf("%s: %s", call, stderr)
		}
	}
	for _, call := range []string{"web cmd.run id", "web state.apply pillar={}", "web test.ping x"} {
		if _, stderr, status := l.run("salt call " + call); status != 1 || !strings.Contains(stderr, "needs admin") {
			t.Errorf("%s: status %d, %s", call, status, stderr)
		}
	}
	for _, command := range []string{"salt accept rogue --fingerprint x", "salt setup pi"} {
		if _, _, status := l.run(command); status != 1 {
			t.Errorf("%s: status %d", command, status)
		}
	}
	become(model.RoleViewer)
	for _, command := range []string{"salt call web test.ping", "salt highstate web", "salt keys"} {
		if _, stderr, status := l.run(command); status != 1 || !strings.Contains(stderr, "needs operator") {
			t.Errorf("%s: status %d, %s", command, status, stderr)
		}
	}
	if _, _, status := l.run("salt status"); status != 0 {
		t.Error("a viewer may not look")
	}
}

func TestSetupSaysWhatAMasterNeeds(t *testing.T) {
	l := startSaltLab(t)
	other := model.NewSaltMaster("metal")
	other.Address, other.Serves, other.Reach = "192.0.2.8", model.ServesHypervisors, []string{"ssh", "-oProxyCommand=false", "pi2", "sudo", "-n"}
	l.commit(model.Add(other))
	stdout, stderr, status := l.run("salt setup")
	if status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	key, err := hostKey(filepath.Join(l.data, saltKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	public := strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key.PublicKey())))
	for _, want := range []string{public, "NOPASSWD", "presence_events: True", "salt/minion/*/start", "state.apply", "role:web", "pi2"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	eventually(t, "a master that cannot be reached says so", func() bool { return l.srv.observed.status().SaltMasters["metal"].Error != "" })
}

func TestFollowersEndWithTheServer(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	var pid int
	eventually(t, "the events are followed", func() bool {
		text, _ := os.ReadFile(filepath.Join(l.fake, "event.pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid > 0
	})
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the follower's child is gone", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

func TestARunCountsOnceItsGuestsAreConfigured(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	l.commit(model.Change("thinkpad", 0, func(h *model.Hypervisor) error { h.AwaitSalt = true; return nil }))
	configured := func() string {
		if c := l.srv.observed.hypervisor("thinkpad").Configured; c != nil {
			return c.String()
		}
		return ""
	}
	eventually(t, "it is not configured yet", func() bool { return configured() == "0 of 1 configured" })
	l.event("events", "salt/job/20261122073844211824/ret/"+webMinion, result(webMinion, "20261122073844211824", true))
	eventually(t, "it is configured", func() bool { return configured() == "1 of 1 configured" })
	l.commit(model.Change("thinkpad", 0, func(h *model.Hypervisor) error { h.AwaitSalt = false; return nil }))
	eventually(t, "nobody waits for it", func() bool { return configured() == "" })
}

// TestAKeyEndsWithItsVM is about VMs whose master nobody asks: they have keys
// all the same, and they go with the VM.
func TestAKeyEndsWithItsVM(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	other := model.NewSaltMaster("attic")
	other.Address = "192.0.2.7"
	vm := model.NewVM("cellar")
	vm.Hypervisor, vm.Image, vm.SaltMaster = "thinkpad", "debian", "attic"
	l.commit(model.Add(other), model.Add(vm))
	secret := func() bool {
		_, ok := l.srv.store.Secret(model.Ref{Kind: model.KindMinion, Name: vm.ID}, minionKey)
		return ok
	}
	eventually(t, "it has a key", secret)
	l.commit(model.Remove[model.VM]("cellar"))
	eventually(t, "it has none", func() bool { return !secret() })
	if _, ok := l.srv.store.Secret(model.Ref{Kind: model.KindMinion, Name: l.vm().ID}, minionKey); !ok {
		t.Error("another VM lost its key")
	}
}

// TestManyKeysAreMadeOnce has all who need keys ask at the same time.
func TestManyKeysAreMadeOnce(t *testing.T) {
	l := startSaltLab(t)
	l.seeded()
	var made atomic.Int32
	m := newMinions(l.srv.store, l.srv.log)
	key, err := smallKey()
	if err != nil {
		t.Fatal(err)
	}
	m.generate = func() (salt.KeyPair, error) { made.Add(1); return key, nil }
	ids := []string{"a", "b", "c", l.vm().ID}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			if err := m.make(t.Context(), ids); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if n := made.Load(); n != 3 {
		t.Errorf("%d keys were made for 3 VMs without one", n)
	}
	if got, ok := m.key(l.vm().ID); !ok || got == key {
		t.Error("a VM that had a key got another")
	}
}
