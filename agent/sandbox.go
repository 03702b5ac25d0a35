package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	tfjson "github.com/hashicorp/terraform-json"

	"homelab/agent/wire"
	"homelab/model"
)

// sandbox is the platform without libvirt: guests are terraform_data resources
// and nothing else, so that they run as soon as they are in the state.
type sandbox struct{ a *agent }

func (s sandbox) Prepare(context.Context, *job, wire.Manifest) (map[string]string, error) {
	return s.a.tf.variables(accelTCG), nil
}

func (sandbox) BeforeApply(context.Context, *job, wire.Manifest, *tfjson.Plan) error { return nil }

func (sandbox) Settle(context.Context, *job, wire.Manifest) (bool, error) { return false, nil }

func (s sandbox) Guests(_ context.Context, m wire.Manifest) ([]model.Guest, error) {
	st, err := s.a.tf.State()
	if err != nil {
		return nil, err
	}
	vms := map[string]wire.VM{}
	for _, vm := range m.VMs {
		vms[vm.ID] = vm
	}
	var guests []model.Guest
	for id := range st.domains() {
		g := model.Guest{ID: id, Name: s.a.names.Of(id), State: model.GuestRunning}
		if vm, ok := vms[id]; ok && vm.DomainName != "" {
			g.Name = vm.DomainName
			if !vm.Running || s.a.down.Load() {
				g.State = model.GuestStopped
			}
		}
		guests = append(guests, g)
	}
	return guests, nil
}

// Restart has nothing to restart in a sandbox, but the guest must run.
func (s sandbox) Restart(ctx context.Context, m wire.Manifest, id string, _ time.Duration) error {
	guests, err := s.Guests(ctx, m)
	if err != nil {
		return err
	}
	for _, g := range guests {
		switch {
		case g.ID == id && g.State == model.GuestRunning:
			return nil
		case g.ID == id:
			return fmt.Errorf("the guest of %s is %s: there is nothing to restart", s.a.names.Of(id), g.State)
		}
	}
	return fmt.Errorf("%s has no guest here", s.a.names.Of(id))
}

// Cut has nothing to cut: a guest of a sandbox is off as soon as the config that
// says so is there.
func (sandbox) Cut(context.Context, wire.Manifest, string) error { return nil }

func (sandbox) Adopt(context.Context, wire.Manifest, string) error {
	return fmt.Errorf("there are no foreign guests in a sandbox")
}

func (sandbox) Images(context.Context, wire.Manifest) []model.ImageFile { return nil }

func (sandbox) Prune(context.Context, wire.Manifest, []string) error {
	return fmt.Errorf("there are no files of images in a sandbox")
}

// Down has nothing to shut down, but says that it is done, as those who wait
// for it want to hear; the guests are back when the agent starts again.
func (s sandbox) Down(context.Context, time.Duration) error {
	s.a.down.Store(true)
	return nil
}

// Console is played: a guest that is nothing but a resource repeats what it is
// told, so that the way there can be tried.
func (s sandbox) Console(ctx context.Context, m wire.Manifest, id string) (io.ReadWriteCloser, error) {
	guests, err := s.Guests(ctx, m)
	if err != nil {
		return nil, err
	}
	for _, g := range guests {
		switch {
		case g.ID == id && g.State == model.GuestRunning:
			return newEcho(g.Name), nil
		case g.ID == id:
			return nil, fmt.Errorf("%s is %s: start it first", s.a.names.Of(id), g.State)
		}
	}
	return nil, fmt.Errorf("%s has no guest here", s.a.names.Of(id))
}

// echo is the console of a guest that is played.
type echo struct {
	*io.PipeReader // what it says
	typed          *io.PipeWriter
}

func newEcho(name string) echo {
	typed, in := io.Pipe()
	said, out := io.Pipe()
	go func() { // ends when the console is closed
		_, err := fmt.Fprintf(out, "\r\n%s is a guest of a sandbox: it repeats what it is told.\r\n> ", name)
		for b := make([]byte, 1024); err == nil; {
			var n int
			if n, err = typed.Read(b); err == nil {
				_, err = out.Write(bytes.ReplaceAll(b[:n], []byte("\r"), []byte("\r\n> ")))
			}
		}
		out.CloseWithError(err)
	}()
	return echo{said, in}
}

func (e echo) Write(p []byte) (int, error) { return e.typed.Write(p) }

func (e echo) Close() error {
	e.typed.Close()
	return e.PipeReader.Close()
}
