package agent

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
	"homelab/model"
)

// domain is a domain as we see it.
type domain struct {
	libvirt.Domain
	id    string // of the VM that it belongs to; empty for a foreign one
	state model.GuestState
	since time.Time // when it was started, if it is on
	// transient tells that it was undefined and is gone when its guest stops.
	transient bool
}

func (d domain) active() bool { return d.state != model.GuestStopped && d.state != model.GuestCrashed }

// domains lists all domains: one call for all states, one more for each that
// was not seen before.
func (v *virt) domains(ctx context.Context) ([]domain, error) {
	return call(ctx, v, func(l *libvirt.Libvirt) ([]domain, error) {
		stats, err := l.ConnectGetAllDomainStats(nil, uint32(libvirt.DomainStatsState), 0)
		if err != nil {
			return nil, err
		}
		if v.stale.Swap(false) {
			v.ids = nil
		}
		ids, since, transient := map[libvirt.UUID]string{}, map[libvirt.UUID]started{}, map[libvirt.UUID]bool{}
		var all []domain
		for _, s := range stats {
			id, ok := v.ids[s.Dom.UUID]
			gone := v.transient[s.Dom.UUID]
			if !ok {
				if id, gone, err = lookAt(l, s.Dom); err != nil {
					if isCode(err, libvirt.ErrNoDomain) {
						continue // gone meanwhile
					}
					return nil, err
				}
			}
			ids[s.Dom.UUID] = id
			d := domain{Domain: s.Dom, id: id, state: stateOf(s.Params), transient: gone}
			transient[s.Dom.UUID] = gone
			if d.active() {
				run, known := v.since[s.Dom.UUID]
				if !known || run.run != s.Dom.ID {
					run = started{s.Dom.ID, v.startOf(s.Dom)}
				}
				since[s.Dom.UUID], d.since = run, run.at
			}
			all = append(all, d)
		}
		v.ids, v.since, v.transient = ids, since, transient
		return all, nil
	})
}

// forgetIDs makes the next listing read all metadata again.
func (v *virt) forgetIDs(ctx context.Context) error {
	return v.do(ctx, func(*libvirt.Libvirt) error {
		v.ids = map[libvirt.UUID]string{}
		return nil
	})
}

// lookAt finds out what a domain does not tell with its state.
func lookAt(l *libvirt.Libvirt, d libvirt.Domain) (id string, transient bool, err error) {
	if id, err = vmOf(l, d); err != nil {
		return "", false, err
	}
	persistent, err := l.DomainIsPersistent(d)
	return id, persistent == 0, err
}

// vmOf reads our metadata of a domain: the ID of the VM that it belongs to.
func vmOf(l *libvirt.Libvirt, d libvirt.Domain) (string, error) {
	text, err := l.DomainGetMetadata(d, int32(libvirt.DomainMetadataElement), libvirt.OptString{wire.MetadataNamespace}, libvirt.DomainAffectCurrent)
	if isCode(err, libvirt.ErrNoDomainMetadata) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var vm struct {
		ID string `xml:"id,attr"`
	}
	if err := xml.Unmarshal([]byte(text), &vm); err != nil {
		return "", fmt.Errorf("domain %q has metadata of ours that cannot be read: %w", d.Name, err)
	}
	return vm.ID, nil
}

func stateOf(params []libvirt.TypedParam) model.GuestState {
	for _, p := range params {
		n, ok := p.Value.I.(int32)
		if p.Field != "state.state" || !ok {
			continue
		}
		switch libvirt.DomainState(n) {
		case libvirt.DomainRunning, libvirt.DomainBlocked:
			return model.GuestRunning
		case libvirt.DomainPaused, libvirt.DomainPmsuspended:
			return model.GuestPaused
		case libvirt.DomainShutdown:
			return model.GuestStopping
		case libvirt.DomainShutoff:
			return model.GuestStopped
		case libvirt.DomainCrashed:
			return model.GuestCrashed
		}
	}
	return model.GuestUnknown
}

// Guests lists the domains, foreign ones too.
func (v *virt) Guests(ctx context.Context, m wire.Manifest) ([]model.Guest, error) {
	byName := map[string]string{}
	for _, vm := range m.VMs {
		if vm.DomainName != "" {
			byName[vm.DomainName] = vm.ID
		}
	}
	all, err := v.domains(ctx)
	if err != nil {
		return nil, err
	}
	addrs := v.findAddresses(ctx, slices.DeleteFunc(slices.Clone(all), func(d domain) bool { return d.state != model.GuestRunning }))
	guests, strangers := make([]model.Guest, 0, len(all)), map[libvirt.UUID]described{}
	for _, d := range all {
		g := model.Guest{ID: d.id, Name: d.Name, State: d.state, Addresses: addrs[d.UUID], Since: d.since, Transient: d.transient}
		if by := v.downs.of(d.UUID); !by.IsZero() && d.active() {
			g.State, g.OffBy = model.GuestStopping, by
		}
		if vm := byName[d.Name]; vm != d.id {
			g.Conflict = vm
		}
		if g.ID == "" || g.Conflict != "" {
			strangers[d.UUID] = v.describe(ctx, d, &g)
		}
		guests = append(guests, g)
	}
	v.strangers = strangers
	return guests, nil
}

// find finds the domain of a VM.
func (v *virt) find(ctx context.Context, id string) (domain, bool, error) {
	all, err := v.domains(ctx)
	if err != nil {
		return domain{}, false, err
	}
	for _, d := range all {
		if d.id == id {
			return d, true, nil
		}
	}
	return domain{}, false, nil
}

// start brings a guest to running.
func (v *virt) start(ctx context.Context, d domain) error {
	err := v.do(ctx, func(l *libvirt.Libvirt) error {
		if d.state == model.GuestPaused {
			return l.DomainResume(d.Domain)
		}
		return l.DomainCreate(d.Domain)
	})
	if err != nil && !isCode(err, libvirt.ErrOperationInvalid) { // which says that it runs already
		return fmt.Errorf("cannot start %s: %w", d.Name, err)
	}
	return nil
}

// Adopt gives the domain that bears the name of a VM the VM's ID, and takes
// over the volumes of the VM's names. The next run brings both under
// terraform's control.
func (v *virt) Adopt(ctx context.Context, m wire.Manifest, id string) error {
	vm, ok := vmIn(m, id)
	if !ok {
		return errors.New("the VM is not in this hypervisor's config: enable it and activate its profile first")
	}
	all, err := v.domains(ctx)
	if err != nil {
		return err
	}
	if err := v.made.Add(volumesOf(vm)...); err != nil {
		return err
	}
	for _, d := range all {
		if d.Name != vm.DomainName || d.id == id { // no domain bears an empty name
			continue
		}
		if d.id != "" {
			return fmt.Errorf("domain %q belongs to another VM (ID %s)", d.Name, d.id)
		}
		text := fmt.Sprintf("<vm id=%q/>", id)
		err := v.do(ctx, func(l *libvirt.Libvirt) error {
			flags := libvirt.DomainAffectConfig
			if d.active() {
				flags |= libvirt.DomainAffectLive
			}
			delete(v.ids, d.UUID)
			return l.DomainSetMetadata(d.Domain, int32(libvirt.DomainMetadataElement), libvirt.OptString{text},
				libvirt.OptString{"homelab"}, libvirt.OptString{wire.MetadataNamespace}, flags)
		})
		if err != nil {
			return fmt.Errorf("cannot mark domain %q as ours: %w", d.Name, err)
		}
	}
	return nil
}

func vmIn(m wire.Manifest, id string) (wire.VM, bool) {
	for _, vm := range m.VMs {
		if vm.ID == id {
			return vm, true
		}
	}
	return wire.VM{}, false
}
