package agent

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/digitalocean/go-libvirt"

	"homelab/model"
)

// startingTime is how long a guest may be about to start, with QEMU but not on.
const startingTime = 10 * time.Second

// notStuck fails if libvirt cannot let go of a guest: killed between noting that it
// starts one and starting QEMU, it takes the guest for one that is about to start
// ever after, in which nothing can be done to it (seen with libvirt 9.0: every call
// ends in "cannot acquire state change lock", after another start of it too). Without
// the job that is noted, the guest can be switched off, which is done.
func (v *virt) notStuck(ctx context.Context, guests []domain) error {
	patience, cancel := context.WithTimeout(ctx, startingTime)
	defer cancel()
	var errs []error
	for _, d := range guests {
		if d.state != model.GuestPaused {
			continue
		}
		stuck, err := v.staysStarting(ctx, patience, d)
		if err != nil {
			return err
		}
		if stuck {
			errs = append(errs, v.unstick(ctx, d))
		}
	}
	return errors.Join(errs...)
}

// staysStarting tells whether libvirt is about to start a guest until patience ends.
func (v *virt) staysStarting(ctx, patience context.Context, d domain) (bool, error) {
	for {
		starting, err := v.starting(ctx, d)
		if err != nil || !starting {
			return false, err
		}
		if pause(patience, 250*time.Millisecond) != nil {
			return ctx.Err() == nil, context.Cause(ctx)
		}
	}
}

// unstick switches a guest off that seems to be about to start, if libvirt can do
// that: it is not asked where it would not answer.
func (v *virt) unstick(ctx context.Context, d domain) error {
	file := filepath.Join(filepath.Dir(v.socket), "qemu", d.Name+".xml")
	text, _ := os.ReadFile(file)
	var status struct { // libvirt's own; there is no call for it that would not wait for the job
		Job struct {
			Async string `xml:"async,attr"`
		} `xml:"job"`
	}
	if xml.Unmarshal(text, &status) == nil && status.Job.Async == "start" {
		return fmt.Errorf("libvirt began to start %s, was ended meanwhile, and cannot let go of it: stop libvirtd, sed -i '/<job /d' %s, and start libvirtd; guests that run go on", d.Name, file)
	}
	return v.switchOff(ctx, d)
}

// starting tells whether libvirt is about to start a guest.
func (v *virt) starting(ctx context.Context, d domain) (bool, error) {
	return call(ctx, v, func(l *libvirt.Libvirt) (bool, error) {
		state, reason, err := l.DomainGetState(d.Domain, 0)
		if isCode(err, libvirt.ErrNoDomain) {
			return false, nil
		}
		return libvirt.DomainState(state) == libvirt.DomainPaused && libvirt.DomainPausedReason(reason) == libvirt.DomainPausedStartingUp, err
	})
}
