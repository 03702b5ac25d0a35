package command

import (
	"context"
	"io"
	"time"

	"homelab/model"
)

// Lab is what the commands need of the server, for one connected user:
// permissions are checked behind it. Everything that it returns is immutable.
type Lab interface {
	User() model.User
	State() *model.State
	Status() model.Status
	Watch() *model.Watcher

	// Runs returns the kept runs of a hypervisor ("" is all), newest first.
	Runs(hypervisor string) ([]model.Run, error)
	Run(id uint64) (model.Run, error)
	// Log returns up to limit committed records of a run that follow record
	// after (0 is the beginning), in order.
	Log(run, after uint64, limit int) ([]model.Record, error)
	// History returns up to limit revisions, newest first, that are older
	// than before (0 is the newest).
	History(before uint64, limit int) ([]model.Revision, error)

	// Audit returns up to limit entries of who did what and what was refused,
	// newest first, that are older than before (0 is the newest).
	Audit(ctx context.Context, before uint64, limit int) ([]model.Audited, error)

	// Preview tells what an edit would do, without doing it. Its error is
	// what Commit's would be.
	Preview(edit model.Edit) ([]model.Impact, error)
	// Commit does an edit; via is the command as typed.
	Commit(ctx context.Context, via string, edit model.Edit) (model.Revision, error)
	Undo(ctx context.Context, via string, revision uint64) (model.Revision, error)

	// SwitchOutlet switches an outlet and returns when the device has
	// answered. Off is refused while a machine that it feeds is up, unless
	// force is set.
	SwitchOutlet(ctx context.Context, name string, on, force bool) error
	// CycleOutlet takes the power of an outlet away for a moment and gives it
	// back, with the same conditions as off.
	CycleOutlet(ctx context.Context, name string, force bool) error
	// SetSecret keeps a secret of an outlet's device, which nothing shows again;
	// an empty value forgets it.
	SetSecret(ctx context.Context, via, outlet, field, value string) error
	// MissingSecrets are the secrets that an outlet's device needs and that are
	// not known any more.
	MissingSecrets(outlet string) []string
	// Probe finds out what device is at an address.
	Probe(ctx context.Context, address string) ([]model.FoundDevice, error)
	// Discover finds the devices on the server's own networks; it takes seconds.
	Discover(ctx context.Context) ([]model.FoundDevice, error)
	// TestOutlet asks an outlet's device whatever it can say, and orders nothing.
	TestOutlet(ctx context.Context, name string) (model.DeviceReport, error)
	StartRun(ctx context.Context, hypervisor string, kind model.RunKind) (model.Run, error)
	Approve(ctx context.Context, run uint64) error
	Cancel(ctx context.Context, run uint64) error
	// RestartGuest restarts the guest of a VM: a single act, not a state. With
	// force it is not asked to shut down.
	RestartGuest(ctx context.Context, vm string, force bool) error
	// CutGuest switches the guest of a VM that is wanted stopped off, without
	// asking it.
	CutGuest(ctx context.Context, vm string) error
	// Adopt makes a foreign domain that bears the name of a VM that VM's own.
	Adopt(ctx context.Context, vm string) error
	// Unlock removes the lock that a dead process left on the terraform state
	// of a hypervisor.
	Unlock(ctx context.Context, hypervisor string) error

	// PruneImages has a hypervisor's agent remove files that it made of images,
	// by their names in its default pool, unless something uses them.
	PruneImages(ctx context.Context, hypervisor string, files []string) error

	// Console attaches a terminal to the serial console of a VM's guest until the
	// person leaves or it ends, and says why it ended if the person did not. With
	// watch nothing is typed unless the person asks for the keyboard.
	Console(ctx context.Context, vm string, watch bool, t model.Terminal) (why string, err error)

	// Config renders the config of a hypervisor as the agent gets it, a tar.
	Config(hypervisor string) ([]byte, error)
	// Invite makes the token that lets an agent join as that hypervisor once,
	// until expires. An empty address is the one that this user connected to.
	Invite(ctx context.Context, via, hypervisor, address string) (token string, expires time.Time, err error)
	// Revoke unbinds a hypervisor's agent and ends its connection.
	Revoke(ctx context.Context, via, hypervisor string) error
	// AddBinary keeps a program for agents to become; Binaries are those that
	// are kept, one for each platform. UpdateAgent has an agent become the one
	// for its platform and returns when it is connected again as that; unchanged
	// says that it was that already.
	AddBinary(r io.Reader) (model.AgentBinary, error)
	Binaries() ([]model.AgentBinary, error)
	UpdateAgent(ctx context.Context, hypervisor string) (b model.AgentBinary, unchanged bool, err error)
	// Backup writes a consistent copy of the store to w while it runs.
	Backup(w io.Writer) error
	// OpenBackup reads such a copy, to restore the desired state of it.
	OpenBackup(r io.Reader) (Restoration, error)
	// NotifySet are the names of the secrets of the settings that are set: how
	// people are told, see [model.NotifySecrets]. SetNotify keeps one, or
	// forgets it if it is empty. NotifyTest sends a test by every channel that
	// is set, and says what became of each.
	NotifySet() []string
	SetNotify(field, value string) error
	NotifyTest(ctx context.Context) (map[string]error, error)
	// HostKeys are the server's public host keys in authorized_keys form: the
	// one in use, and while it is exchanged the one that comes.
	HostKeys() []string
	// RotateHostKey makes the host key that comes, and FinishHostKey puts it in
	// use. HostKeyUnknownTo are the hypervisors whose agents are not known to
	// have learnt it.
	RotateHostKey(ctx context.Context) error
	FinishHostKey(ctx context.Context) error
	HostKeyUnknownTo() []string

	// SaltApply has the minions of VMs and hypervisors apply their whole state,
	// and hands over how each ended as it does. It calls begun once it knows all
	// of them. Its error is why some could not be asked; answers tell which failed.
	SaltApply(ctx context.Context, names []string, begun func(), each func(model.SaltAnswer)) error
	// SaltCall calls a function on minions; operators may test.ping and
	// state.apply.
	SaltCall(ctx context.Context, names []string, fun string, args []string, each func(model.SaltAnswer)) error
	// SaltKeys lists the keys on all masters that are asked.
	SaltKeys(ctx context.Context) ([]model.SaltKey, error)
	// SaltAccept accepts a pending key whose fingerprint a person has seen.
	SaltAccept(ctx context.Context, master, id, fingerprint string) error
	// SaltSetup says what to put where so that a master works with the lab.
	SaltSetup(master string) (string, error)
}
