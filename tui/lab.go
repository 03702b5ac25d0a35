package tui

import (
	"context"
	"time"

	"homelab/model"
)

// Lab is what the dashboard needs of the server, for one connected user:
// permissions are checked behind it. Everything that it returns is immutable
// and cheap to ask for, except where a context is taken: those calls may do
// I/O and belong in commands.
type Lab interface {
	// User is who is connected.
	User() model.User
	// State is the desired state now.
	State() *model.State
	// Status is the observed state now.
	Status() model.Status
	// Watch subscribes to changes; the caller closes the watcher.
	Watch() *model.Watcher

	// Runs returns the kept runs of a hypervisor ("" is all), newest first.
	Runs(hypervisor string) ([]model.Run, error)
	// Run returns one run.
	Run(id uint64) (model.Run, error)
	// Log returns up to limit committed records of a run that follow record
	// after (0 is the beginning), in order.
	Log(run, after uint64, limit int) ([]model.Record, error)
	// History returns up to limit revisions, newest first, that are older
	// than before (0 is the newest).
	History(before uint64, limit int) ([]model.Revision, error)

	// Editing says that this session edits a thing, until the returned function
	// is called.
	Editing(ref model.Ref) (done func())
	// Editors are who edits a thing in other sessions; KindEditing tells when
	// that changes.
	Editors(ref model.Ref) []string

	// Preview tells what an edit would do, without doing it. Its error is
	// what Commit's would be.
	Preview(edit model.Edit) ([]model.Impact, error)
	// Commit does an edit; via says where it was made, such as "dashboard:
	// VM form".
	Commit(ctx context.Context, via string, edit model.Edit) (model.Revision, error)
	// Undo reverts one revision.
	Undo(ctx context.Context, via string, revision uint64) (model.Revision, error)

	// SwitchOutlet switches an outlet and returns when the device has
	// answered. Off is refused while a machine that it feeds is up, unless
	// force is set.
	SwitchOutlet(ctx context.Context, name string, on, force bool) error
	// CycleOutlet takes the power of an outlet away for a moment and gives it
	// back. It is refused while a machine that it feeds is up, unless force is
	// set.
	CycleOutlet(ctx context.Context, name string, force bool) error
	// WattHistory returns what was measured of outlets in a span that ends
	// now, by outlet, without those of which nothing was.
	WattHistory(ctx context.Context, outlets []string, span model.Span) (map[string][]model.WattPoint, error)
	// LoadHistory returns the load of hypervisors and VMs (refs by name) in a
	// span that ends now, without those of which nothing was measured. It grows
	// when KindMeters is published.
	LoadHistory(ctx context.Context, of []model.Ref, span model.Span) (map[model.Ref][]model.LoadPoint, error)
	// SetSecret keeps a secret of an outlet's device, which nothing shows again;
	// an empty value forgets it.
	SetSecret(ctx context.Context, via, outlet, field, value string) error
	// NotifySet are the names of the settings' secrets that are set: where people
	// are told, see [model.NotifySecrets]. SetNotify keeps one, which nothing
	// shows again; an empty value forgets it.
	NotifySet() []string
	SetNotify(field, value string) error
	// Config renders the config of a hypervisor, as a tar; that takes a while.
	Config(hypervisor string) ([]byte, error)
	// PruneImages has a hypervisor's agent remove files that it made of images,
	// unless something uses them.
	PruneImages(ctx context.Context, hypervisor string, files []string) error
	// StartRun starts a plan or an apply at once.
	StartRun(ctx context.Context, hypervisor string, kind model.RunKind) (model.Run, error)
	// Approve lets a waiting run apply its plan.
	Approve(ctx context.Context, run uint64) error
	// Cancel interrupts a run; a second time kills it.
	Cancel(ctx context.Context, run uint64) error

	// RestartGuest restarts the guest of a VM: a single act, not a state. With
	// force it is not asked to shut down.
	RestartGuest(ctx context.Context, vm string, force bool) error
	// CutGuest switches the guest of a VM that is wanted stopped off, without
	// asking it.
	CutGuest(ctx context.Context, vm string) error
	// Adopt makes a foreign domain that bears the name of a VM that VM's own.
	Adopt(ctx context.Context, vm string) error

	// Console attaches a terminal to the serial console of a VM's guest until the
	// person leaves or it ends, and says why it ended if the person did not.
	Console(ctx context.Context, vm string, watch bool, t model.Terminal) (why string, err error)

	// SaltApply has the minions of VMs and hypervisors apply their whole state,
	// and hands over how each ended as it does. It calls begun once it knows all
	// of them.
	SaltApply(ctx context.Context, names []string, begun func(), each func(model.SaltAnswer)) error

	// Sessions are the connections under way, of everybody for an admin, else
	// this user's own; model.KindSessions tells of changes.
	Sessions() []model.Session
	// Audit is who did what and what was refused, newest first, for admins: up
	// to limit entries older than number before (0 is the newest).
	// model.KindAudit tells of new ones.
	Audit(ctx context.Context, before uint64, limit int) ([]model.Audited, error)
	// Invite makes the token with which a hypervisor's agent joins, once, until
	// expires. An empty address is the one that this user connected to.
	Invite(ctx context.Context, via, hypervisor, address string) (token string, expires time.Time, err error)
	// Revoke unbinds a hypervisor's agent and ends its connection.
	Revoke(ctx context.Context, via, hypervisor string) error
}

// Terminal is the session's, which the dashboard lends to a console.
type Terminal interface {
	// Lend ends what the dashboard reads: what is typed from then on is the
	// borrower's.
	Lend() model.Terminal
	// Return ends what the borrower reads.
	Return()
}
