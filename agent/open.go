package agent

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// open brings everything up that needs no connection.
func open(ctx context.Context, f folder, id identity, opts Options) (*agent, error) {
	if opts.LibvirtURI == "" {
		opts.LibvirtURI = "qemu:///system"
	}
	if opts.Shutdown == nil {
		opts.Shutdown = PowerOff("systemctl", "poweroff")
	}
	a := &agent{opts: opts, log: opts.Log.With("hypervisor", id.Hypervisor), f: f, id: id, link: newLink(), become: make(chan *update, 1), welcomed: make(chan struct{}), kick: make(chan struct{}, 1), measure: make(chan struct{}, 1)}
	signer, hosts, err := id.keys()
	if err != nil {
		return nil, err
	}
	a.signer = signer
	a.trust.set(hosts)
	a.run = newRunner(a)
	note, err := endLeftover(ctx, f, 20*time.Second)
	if err != nil {
		return nil, err
	}
	if note != "" {
		a.log.Warn(note)
	}
	a.tf = &terraform{f: f, uri: opts.LibvirtURI}
	if err := a.openTerraform(ctx); err != nil {
		return nil, err
	}
	if a.names, err = openNames(f); err != nil {
		return nil, err
	}
	if err := a.openVirt(); err != nil {
		return nil, err
	}
	a.openManifest()
	a.openAccel()
	if a.spool, note, err = openSpool(f.path(spoolFile)); err != nil {
		return nil, err
	}
	if note != "" {
		a.log.Error(note)
	}
	return a, a.endUnfinished()
}

// openTerraform takes the terraform that the options name, or any that is here.
// Where there is none the first run fetches one, so that people see that where
// they look: in its log.
func (a *agent) openTerraform(ctx context.Context) error {
	bin := a.opts.Terraform
	if bin == "" {
		bin = terraformHere(string(a.f))
	}
	if bin == "" {
		return nil
	}
	bin, err := exec.LookPath(bin)
	if err != nil {
		return fmt.Errorf("no terraform: %w", err)
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	return a.tf.use(ctx, bin)
}

// openManifest finds the manifest of the config that was fetched last, so that
// the inventory is right before anything is fetched.
func (a *agent) openManifest() {
	var c configs
	if err := a.f.load(configFile, &c); err != nil || c.Current == "" {
		return
	}
	if m, err := readManifest(a.f.path(configFolder, c.Current)); err == nil {
		a.manifest.Store(&m)
	}
}

// endUnfinished ends the run that was under way when the last agent died.
func (a *agent) endUnfinished() error {
	var order wire.Run
	if err := a.f.load(runFile, &order); err != nil {
		a.log.Warn("the note about the last run cannot be read", "error", err)
	}
	if order.ID != 0 {
		const text = "the agent stopped during the run; what terraform had done by then is in its state, and the run is tried again"
		a.log.Warn("ending a run that the last agent did not end", "run", order.ID)
		a.spool.Append(model.Record{
			Run: order.ID, Time: time.Now().UTC(), Level: model.LevelError, Message: text,
			State: model.RunFailed, Error: text,
		})
		if err := a.spool.Sync(); err != nil {
			return err
		}
	}
	return a.f.forget(runFile)
}
