package model_test

import (
	"strings"
	"testing"

	"homelab/model"
)

func TestSaltStatusInWords(t *testing.T) {
	changed := &model.SaltResult{OK: true, Steps: []model.SaltStep{{OK: true, Changes: []string{"diff"}}, {OK: true}}}
	for want, st := range map[string]model.SaltStatus{
		"never seen":                  {State: model.SaltNever},
		"configuring":                 {State: model.SaltConfiguring},
		"configuring, 3 of 12 states": {State: model.SaltConfiguring, Done: 3, Total: 12},
		"configured":                  {State: model.SaltConfigured, Result: &model.SaltResult{OK: true, Steps: []model.SaltStep{{OK: true}}}},
		"configured, 1 changed":       {State: model.SaltConfigured, Result: changed},
		"failed: motd: the disk is full": {State: model.SaltFailed, Result: &model.SaltResult{Steps: []model.SaltStep{
			{ID: "ssh", OK: true}, {ID: "motd", Comment: "\nthe disk is full\nreally"}, {ID: "web", Comment: "requisite failed"},
		}}},
		"failed: Rendering SLS 'base:x' failed":               {State: model.SaltFailed, Result: &model.SaltResult{Errors: []string{"Rendering SLS 'base:x' failed\n---"}}},
		"failed: the minion says that it failed, and not why": {State: model.SaltFailed, Result: &model.SaltResult{}},
	} {
		if got := st.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// saltLab has five VMs that are to run on thinkpad and one elsewhere; their
// master is asked.
func saltLab() *model.State {
	s := model.NewState()
	s.Hypervisors["thinkpad"] = model.NewHypervisor("thinkpad")
	master := model.NewSaltMaster("pi")
	master.Address, master.Reach = "192.0.2.9", []string{"sudo", "-n"}
	s.SaltMasters["pi"] = master
	s.Settings.SaltMaster = "pi"
	s.Images["debian"] = model.Image{Name: "debian", Path: "/img/debian"}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		vm := model.NewVM(name)
		vm.ID, vm.Hypervisor, vm.Image = strings.Repeat(name, 12), "thinkpad", "debian"
		s.VMs[name] = vm
	}
	return s
}

func TestConfiguredCountsThoseThatAreToRun(t *testing.T) {
	s := saltLab()
	status := func(names string, state model.SaltState) map[string]model.SaltStatus {
		m := map[string]model.SaltStatus{}
		for _, r := range names {
			m[strings.Repeat(string(r), 12)] = model.SaltStatus{State: state}
		}
		return m
	}
	if got := s.Configured("thinkpad", status("abcd", model.SaltConfigured)).String(); got != "4 of 5 configured" {
		t.Error(got)
	}
	minions := status("abcd", model.SaltConfigured)
	minions[strings.Repeat("e", 12)] = model.SaltStatus{State: model.SaltFailed}
	if got := s.Configured("thinkpad", minions).String(); got != "4 of 5 configured, 1 failed" {
		t.Error(got)
	}
	vm := s.VMs["e"]
	vm.Running = false
	s.VMs["e"] = vm
	if got := s.Configured("thinkpad", minions).String(); got != "4 of 4 configured" {
		t.Error("one that is not to run counts:", got)
	}
	m := s.SaltMasters["pi"]
	m.Reach = nil
	s.SaltMasters["pi"] = m
	if got := s.Configured("thinkpad", minions); got.Total != 0 {
		t.Error("guests count whose master nobody asks:", got)
	}
}

func TestAwaitsSalt(t *testing.T) {
	s := saltLab()
	if s.AwaitsSalt("thinkpad") {
		t.Error("it awaits Salt though nobody said so")
	}
	p := s.Profiles[model.DefaultProfile]
	p.AwaitSalt = true
	s.Profiles[p.Name] = p
	if !s.AwaitsSalt("thinkpad") {
		t.Error("the active profile's setting does not count")
	}
	s.Profiles["other"] = model.Profile{Name: "other"}
	if err := model.Activate("other")(s); err != nil {
		t.Fatal(err)
	}
	if s.AwaitsSalt("thinkpad") {
		t.Error("an inactive profile's setting counts")
	}
}

func TestSaltMasterRules(t *testing.T) {
	for name, c := range map[string]struct {
		field  string
		change func(*model.SaltMaster)
	}{
		"a shell's words":          {"reach", func(m *model.SaltMaster) { m.Reach = []string{"sh", "-c", "id; id"} }},
		"a substitution":           {"reach", func(m *model.SaltMaster) { m.Reach = []string{"$(id)"} }},
		"an option as the program": {"reach", func(m *model.SaltMaster) { m.Reach = []string{"-n"} }},
		"an empty word":            {"reach", func(m *model.SaltMaster) { m.Reach = []string{"sudo", ""} }},
		"toasters":                 {"serves", func(m *model.SaltMaster) { m.Serves = "toasters" }},
		"machines, for VMs":        {"salt_master", func(m *model.SaltMaster) { m.Serves = model.ServesHypervisors }},
		"two lines":                {"repository", func(m *model.SaltMaster) { m.Repository = "deb x\ndeb y" }},
		"a key of nothing":         {"repository_key", func(m *model.SaltMaster) { m.RepositoryKey = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n" }},
		"no key":                   {"repository_key", func(m *model.SaltMaster) { m.Repository, m.RepositoryKey = "deb x y z", "x" }},
	} {
		s := saltLab()
		if err := model.Validate(s); err != nil {
			t.Fatal(err)
		}
		m := s.SaltMasters["pi"]
		c.change(&m)
		s.SaltMasters["pi"] = m
		errs := model.FieldErrors(model.Validate(s))
		if len(errs) != 1 || errs[0].Field != c.field {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

// TestAnotherRepositoryIsAnotherSeed shows it in what a change does to guests.
func TestAnotherRepositoryIsAnotherSeed(t *testing.T) {
	before := saltLab()
	after := before.Clone()
	m := after.SaltMasters["pi"]
	m.Repository = "deb https://salt.invalid/deb stable main"
	after.SaltMasters["pi"] = m
	if impacts := model.Preview(before, after, nil); len(impacts) != 5 {
		t.Errorf("%v", impacts)
	}
	m.Reach = []string{"local"}
	later := after.Clone()
	later.SaltMasters["pi"] = m
	if impacts := model.Preview(after, later, nil); len(impacts) != 0 {
		t.Errorf("how the master is reached changes guests: %v", impacts)
	}
}
