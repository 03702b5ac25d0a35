package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	tfjson "github.com/hashicorp/terraform-json"

	"homelab/agent/wire"
	"homelab/model"
)

// platform is what a config runs on, beside terraform.
type platform interface {
	// Prepare makes what the config needs and terraform does not make, and
	// refuses what must not be touched. It returns terraform's variables.
	Prepare(ctx context.Context, j *job, m wire.Manifest) (map[string]string, error)
	// BeforeApply makes way for a plan that will be applied.
	BeforeApply(ctx context.Context, j *job, m wire.Manifest, plan *tfjson.Plan) error
	// Settle brings guests to running or stopped, as wanted; it tells whether
	// it had to do anything.
	Settle(ctx context.Context, j *job, m wire.Manifest) (acted bool, err error)
	// Guests lists the guests.
	Guests(ctx context.Context, m wire.Manifest) ([]model.Guest, error)
	// Oddities are the disks of the state whose files are not there, and the
	// volumes that stand in the way of VMs.
	Oddities(ctx context.Context, m wire.Manifest, st state) (gone []model.Disk, foreign []model.ForeignVolume)
	// Load adds what guests and pools use.
	Load(ctx context.Context, m wire.Manifest, load *model.Load) error
	// Restart restarts a guest that is wanted on. grace is how long it has to
	// shut down: 0 is the agent's own, atOnce is none.
	Restart(ctx context.Context, m wire.Manifest, id string, grace time.Duration) error
	// Cut switches a guest off without asking it.
	Cut(ctx context.Context, m wire.Manifest, id string) error
	// Adopt makes the domain that bears the name of a VM ours.
	Adopt(ctx context.Context, m wire.Manifest, id string) error
	// Console opens the serial console of a VM's guest: raw bytes both ways.
	Console(ctx context.Context, m wire.Manifest, id string) (io.ReadWriteCloser, error)
	// Images lists the files of images that it has made.
	Images(ctx context.Context, m wire.Manifest) []model.ImageFile
	// Prune removes files of images that nothing uses.
	Prune(ctx context.Context, m wire.Manifest, files []string) error
	// Down shuts all guests down.
	Down(ctx context.Context, grace time.Duration) error
}

// attempt is a job with what it found out.
type attempt struct {
	*job
	dir      string
	manifest wire.Manifest
	platform platform
	vars     map[string]string
	progress *progress
}

// work carries the run out and writes how it ended.
func (j *job) work() {
	j.a.log.Info("run started", "run", j.ID, "kind", j.Kind, "config", short(j.Digest))
	if err := j.a.f.save(runFile, j.Run); err != nil {
		j.end(model.RunFailed, err)
		return
	}
	state, err := (&attempt{job: j}).carryOut()
	j.end(state, j.flawed(err))
}

// carryOut goes through the states of a run and returns the last.
func (t *attempt) carryOut() (model.RunState, error) {
	plan, err := t.plan()
	if err != nil {
		return "", err
	}
	if !changes(plan) {
		return t.unchanged()
	}
	if t.Kind == model.RunPlan {
		return model.RunSucceeded, nil
	}
	if err := guard(plan, t.manifest, t.a.names.Label); err != nil {
		return "", err
	}
	if violations, wait := check(plan, t.Run, t.a.names.Label); wait {
		if err := t.wait(violations); err != nil {
			return "", err
		}
	}
	return t.apply(plan)
}

// plan fetches the config, prepares the machine for it, and plans.
func (t *attempt) plan() (*tfjson.Plan, error) {
	if !t.enter(model.RunPlanning, model.Record{Level: model.LevelInfo, Message: fmt.Sprintf("planning config %s", short(t.Digest))}) {
		return nil, context.Cause(t.ctx)
	}
	if err := t.a.tf.ready(t.ctx, func(s string) { t.say("%s", s) }); err != nil {
		return nil, err
	}
	var err error
	if t.dir, t.manifest, err = t.a.config(t.ctx, t.Digest); err != nil {
		return nil, err
	}
	if t.platform, err = t.a.platformOf(t.manifest); err != nil {
		return nil, err
	}
	if t.vars, err = t.platform.Prepare(t.ctx, t.job, t.manifest); err != nil {
		return nil, err
	}
	if err := t.a.tf.Init(t.ctx, t.dir, func(s string) { t.say("%s", s) }); err != nil {
		return nil, err
	}
	t.progress = newProgress(t.a.names.Label, t.record)
	if err := t.terraformPlan(); err != nil {
		return nil, err
	}
	plan, err := t.a.tf.ReadPlan(t.ctx, t.dir)
	if err == nil {
		for _, res := range planned(plan, t.a.names.Label) {
			t.record(model.Record{Resource: &res})
		}
	}
	return plan, err
}

// terraformPlan runs terraform plan, again if it hangs.
func (t *attempt) terraformPlan() error {
	targets, err := t.targets()
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		cmd, err := t.a.tf.Plan(t.dir, t.vars, len(t.manifest.VMs), targets)
		if err != nil {
			return err
		}
		t.say("%s plan started", t.a.tf.program())
		err = t.follow(cmd, cmd.Kill) // a plan changes nothing
		switch {
		case err == nil:
			return nil
		case t.ctx.Err() != nil:
			return context.Cause(t.ctx)
		case !errors.Is(err, errHung):
			if lock := t.a.tf.Lock(); lock != nil && lock.Live {
				return heldError(lock)
			}
			return t.progress.Error("planning", err)
		case try == planTries:
			return fmt.Errorf("planning hung %d times and was killed each time: look at libvirt on the hypervisor", try)
		}
		t.warn("the plan did not end in %s and was killed; trying again", cmd.total)
		t.progress.Retry()
	}
}

// follow records a command's output until it ends; stop is called when the
// run is ended from outside.
func (t *attempt) follow(cmd *command, stop func()) error {
	t.mu.Lock()
	t.cmd = cmd
	t.mu.Unlock()
	unhook := context.AfterFunc(t.ctx, stop)
	err := cmd.Wait(t.progress.Line)
	unhook()
	t.mu.Lock()
	t.cmd = nil
	t.mu.Unlock()
	return err
}

// unchanged ends a run whose plan has no changes.
func (t *attempt) unchanged() (model.RunState, error) {
	if t.Kind == model.RunPlan {
		return model.RunNoop, nil
	}
	acted, err := t.platform.Settle(t.ctx, t.job, t.manifest)
	if err != nil {
		return "", err
	}
	if err := t.applied(t.Digest); err != nil {
		return "", err
	}
	if acted {
		return model.RunSucceeded, nil
	}
	return model.RunNoop, nil
}

// wait waits for approval.
func (t *attempt) wait(violations []model.Violation) error {
	text := "every change waits for approval on this hypervisor"
	if n := len(violations); n > 0 {
		text = fmt.Sprintf("the plan would destroy what nobody agreed to lose: %s", violations[0].Label)
		if n > 1 {
			text += fmt.Sprintf(" and %d more", n-1)
		}
	}
	if !t.enter(model.RunWaiting, model.Record{Level: model.LevelWarn, Message: text, Violations: violations}) {
		return context.Cause(t.ctx)
	}
	select {
	case <-t.approved:
		t.say("approved")
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}

// apply applies the plan.
func (t *attempt) apply(plan *tfjson.Plan) (model.RunState, error) {
	if !t.enter(model.RunApplying, model.Record{}) {
		return "", context.Cause(t.ctx)
	}
	if err := t.platform.BeforeApply(t.ctx, t.job, t.manifest, plan); err != nil {
		return "", err
	}
	if err := t.a.tf.Backup(time.Now()); err != nil {
		return "", err
	}
	if err := t.applied(""); err != nil { // nothing holds for sure from here on
		return "", err
	}
	if t.ctx.Err() != nil {
		return "", context.Cause(t.ctx)
	}
	if err := t.carryOutPlan(); err != nil {
		return "", err
	}
	if err := t.a.tf.Backup(time.Now()); err != nil { // the next one may find the state lost
		t.warn("%v", err)
	}
	return model.RunSucceeded, t.applied(t.Digest)
}

// carryOutPlan lets terraform apply the saved plan, and then brings guests and
// disks to what is wanted: what one guest fails at keeps no other from that.
func (t *attempt) carryOutPlan() error {
	t.progress.Apply()
	cmd, err := t.a.tf.Apply(t.dir, t.vars)
	if err != nil {
		return err
	}
	t.say("%s apply started", t.a.tf.program())
	applied := t.follow(cmd, cmd.Interrupt)
	switch {
	case errors.Is(applied, errHung):
		return fmt.Errorf("applying made no progress for %s and was killed: look at libvirt on the hypervisor", applyQuiet)
	case applied != nil && errors.Is(context.Cause(t.ctx), errCancelled):
		return cancelledApply(cmd)
	case applied != nil:
		applied = t.progress.Error("applying", applied)
	}
	if t.ctx.Err() != nil && applied != nil {
		return applied
	}
	_, settled := t.platform.Settle(t.ctx, t.job, t.manifest)
	switch {
	case applied != nil && errors.Is(settled, errUnreachable): // which is why, whatever terraform makes of it
		return fmt.Errorf("%w; %w", settled, applied)
	case applied != nil && settled != nil:
		return fmt.Errorf("%w; %w", applied, settled)
	}
	return cmp.Or(applied, settled)
}

// cancelledApply says what became of an apply that was cancelled.
func cancelledApply(cmd *command) error {
	if cmd.Killed() {
		return errors.New("killed during the apply: what terraform was doing may be missing in its state")
	}
	return errors.New("cancelled during the apply: what was under way was finished, the rest was not begun")
}

// applied notes which config holds.
func (t *attempt) applied(digest string) error {
	if len(t.flaws) > 0 {
		digest = ""
	}
	return t.a.f.save(configFile, configs{Current: t.Digest, Applied: digest})
}
