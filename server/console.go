package server

import (
	"context"
	"fmt"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
	"homelab/server/console"
)

// Console attaches a terminal to the serial console of a VM's guest until the
// person leaves, or it ends: then it says why. What a guest shows on its console
// may be meant for whoever logged in there, so that viewers may not even watch.
func (l *lab) Console(ctx context.Context, name string, watch bool, t model.Terminal) (why string, err error) {
	may := func() error { return l.may(model.RoleOperator) }
	if err := may(); err != nil {
		return "", err
	}
	st := l.s.store.State()
	vm, ok := st.VMs[name]
	switch {
	case !ok:
		return "", &model.NotFoundError{Ref: model.Ref{Kind: model.KindVM, Name: name}}
	case !vm.Enabled:
		return "", fmt.Errorf("%s is disabled and has no console; enable it with: vm enable %s", name, name)
	case !st.HasDomain(vm):
		return "", fmt.Errorf("%s is not in the active profile and has no console", name)
	}
	who := l.User().Name
	log := l.s.log.With("user", who, "vm", name, "hypervisor", vm.Hypervisor)
	log.Info("console attached", "watch", watch)
	why, err = l.s.consoles.Attach(ctx, vm, who, watch, t, may)
	log.Info("console left", "why", why, "error", err)
	return why, err
}

// openConsole attaches to the console of a VM's guest through its agent.
func (a *agents) openConsole(ctx context.Context, vm model.VM) (console.Channel, error) {
	conn := a.get(vm.Hypervisor)
	if conn == nil {
		return nil, fmt.Errorf("the agent of %s is not connected", vm.Hypervisor)
	}
	ch, err := conn.channel(ctx, wire.ChannelConsole, gossh.Marshal(wire.ConsoleOpen{VM: vm.ID}))
	if err != nil {
		return nil, err // and no channel that is nil and yet none
	}
	return ch, nil
}
