package agent

import (
	"context"
	"fmt"
	"slices"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
)

// orphans undefines domains that carry an ID of ours but are not the ones that
// terraform knows; their disks stay. Terraform makes those anew that are in
// the config. One that is not is touched only if its end was announced.
func (v *virt) orphans(ctx context.Context, j *job, m wire.Manifest) error {
	st, err := v.a.tf.State()
	if err != nil {
		return err
	}
	known := st.domains()
	all, err := v.domains(ctx)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.id == "" || known[d.id] == uuidString(d.UUID) {
			continue
		}
		vm, wanted := vmIn(m, d.id)
		if !(wanted && vm.DomainName != "") && !slices.Contains(j.Announced.Domains, d.id) {
			j.warn("domain %q carries the ID %s of ours, is in no config here and was not announced to go: it is left alone", d.Name, d.id)
			continue
		}
		if err := v.undefine(ctx, j, d, "because terraform does not know its domain"); err != nil {
			return err
		}
	}
	return nil
}

// undefine takes a domain away, whose guest is shut down first; why says to people
// what for.
func (v *virt) undefine(ctx context.Context, j *job, d domain, why string) error {
	if d.active() {
		if err := v.stopFor(ctx, j, why, d); err != nil {
			return err
		}
	}
	err := v.do(ctx, func(l *libvirt.Libvirt) error {
		return l.DomainUndefineFlags(d.Domain, libvirt.DomainUndefineManagedSave|libvirt.DomainUndefineSnapshotsMetadata|libvirt.DomainUndefineNvram)
	})
	if err != nil && !isCode(err, libvirt.ErrNoDomain) {
		return fmt.Errorf("cannot undefine %s: %w", d.Name, err)
	}
	j.say("%s was undefined %s; its disks were kept", d.Name, why)
	return nil
}

// defineAgain makes a domain that was undefined while its guest runs lasting,
// and leaves the guest alone.
func (v *virt) defineAgain(ctx context.Context, d domain) error {
	err := v.do(ctx, func(l *libvirt.Libvirt) error {
		text, err := l.DomainGetXMLDesc(d.Domain, libvirt.DomainXMLSecure|libvirt.DomainXMLInactive)
		if err != nil {
			return err
		}
		_, err = l.DomainDefineXMLFlags(text, 0)
		v.stale.Store(true)
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot define %s again: %w", d.Name, err)
	}
	return nil
}
