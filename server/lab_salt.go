package server

import (
	"context"
	"fmt"
	"os/user"
	"regexp"
	"strings"

	gossh "golang.org/x/crypto/ssh"

	"homelab/model"
	"homelab/server/salt"
)

func (l *lab) SaltApply(ctx context.Context, names []string, begun func(), each func(model.SaltAnswer)) error {
	targets, err := l.saltTargets(names)
	if err != nil {
		return err
	}
	l.did("salt state applied", "minions", strings.Join(names, " "))
	begun()
	return l.s.salts.apply(ctx, targets, each)
}

func (l *lab) SaltCall(ctx context.Context, names []string, fun string, args []string, each func(model.SaltAnswer)) error {
	targets, err := l.saltTargets(names)
	if err != nil {
		return err
	}
	if err := l.mayCall(fun, args); err != nil {
		return err
	}
	if err := salt.CheckFunction(fun); err != nil {
		return err
	}
	l.did("salt function called", "minions", strings.Join(names, " "), "function", fun)
	return l.s.salts.call(ctx, targets, fun, args, each)
}

// plainArg is the name of a state file, or the option to change nothing.
var plainArg = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]*|test=(True|False))$`)

// mayCall tells whether the user may call a function: an operator sees who
// answers, and has states applied as they are.
func (l *lab) mayCall(fun string, args []string) error {
	harmless := fun == "test.ping" && len(args) == 0 || fun == "state.apply"
	for _, arg := range args {
		harmless = harmless && plainArg.MatchString(arg)
	}
	if harmless {
		return nil // an operator, by saltTargets
	}
	if err := l.may(model.RoleAdmin); err != nil {
		return fmt.Errorf("operators may call test.ping and state.apply with names of states: %w", err)
	}
	return nil
}

// saltTargets finds the minions that an operator names.
func (l *lab) saltTargets(names []string) ([]target, error) {
	if err := l.may(model.RoleOperator); err != nil {
		return nil, err
	}
	state := l.State()
	targets := make([]target, 0, len(names))
	for _, name := range names {
		t, err := l.s.salts.target(state, name)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

func (l *lab) SaltKeys(ctx context.Context) ([]model.SaltKey, error) {
	if err := l.may(model.RoleOperator); err != nil {
		return nil, err
	}
	return l.s.salts.keys(ctx)
}

func (l *lab) SaltAccept(ctx context.Context, master, id, fingerprint string) error {
	if err := l.may(model.RoleAdmin); err != nil {
		return err
	}
	l.did("minion's key accepted", "master", master, "minion", id, "fingerprint", fingerprint)
	return l.s.salts.accept(ctx, master, id, fingerprint)
}

func (l *lab) SaltSetup(name string) (string, error) {
	if err := l.may(model.RoleAdmin); err != nil {
		return "", err
	}
	state := l.State()
	made, ok := state.SaltMasters[name]
	if !ok {
		return "", notFound(model.KindSaltMaster, name)
	}
	master, err := l.s.salts.reach(made)
	if err != nil {
		return "", err
	}
	opts := salt.SetupOptions{Roles: saltRoles(state), Minions: expectedMinions(state, made)}
	if who, err := user.Current(); err == nil {
		opts.User = who.Username
	}
	if master.Identity != "" {
		key, err := hostKey(master.Identity)
		if err != nil {
			return "", err
		}
		opts.PublicKey = strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key.PublicKey()))) + " homelab"
	}
	serves := model.ServesVMs
	if !made.ServesVMs() {
		serves = model.ServesHypervisors
	}
	return salt.Setup(salt.SetupMaster{Master: master, Serves: serves, Address: made.Address}, opts), nil
}

// expectedMinions are the IDs of the minions that a master serves.
func expectedMinions(state *model.State, made model.SaltMaster) []string {
	if !made.ServesVMs() {
		return model.Names(state.Hypervisors)
	}
	ids := map[string]bool{}
	for _, vm := range state.VMs {
		if state.Master(vm) == made.Name {
			ids[model.HostName(vm.Name, vm.Hypervisor)] = true
		}
	}
	return model.Names(ids)
}

// saltRoles are the roles that VMs have.
func saltRoles(state *model.State) []string {
	roles := map[string]bool{}
	for _, vm := range state.VMs {
		if vm.Role != "" {
			roles[vm.Role] = true
		}
	}
	return model.Names(roles)
}
