package server

import (
	"context"
	"fmt"

	"homelab/model"
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
	why, err = l.s.consoles.attach(ctx, vm, newViewer(who, !watch, t), t, may)
	log.Info("console left", "why", why, "error", err)
	return why, err
}
