package command

import (
	"slices"

	"github.com/spf13/cobra"

	"homelab/model"
)

// needs says which role each command needs at least, so that nobody is offered
// what is refused. What is refused is decided behind [Lab]: a test holds the
// two together, and fails for a command that is in no list.
var needs = map[model.Role][]string{
	model.RoleViewer: {
		"agent binaries", "agent list", "completion", "export", "help", "history", "hostkey", "hosts", "hypervisor list", "hypervisor show", "image list", "image presets",
		"image show", "key list", "logs", "open", "outlet list", "outlet show", "pool list", "power status", "profile list", "profile show",
		"role list", "role show", "run list", "run show", "salt master list", "salt master show", "salt status",
		"settings notify show", "settings show", "share list", "share show", "ssh-config", "user list", "vm list", "vm show", "watch",
	},
	model.RoleOperator: {
		"apply", "approve", "cancel", "console", "hold", "outlet cycle", "outlet off", "outlet on", "outlet test", "plan", "power cycle", "power off",
		"power on", "release", "run unlock", "salt call", "salt highstate", "salt keys", "undo", "vm disable", "vm enable", "vm restart", "vm start", "vm stop",
	},
	model.RoleAdmin: {
		"agent invite", "agent revoke", "agent update", "agent upload", "backup", "config", "hostkey rotate", "hypervisor add", "hypervisor edit", "hypervisor remove", "image add",
		"image edit", "image prune", "image remove", "import", "import homelabmanager", "key add", "key edit", "key remove", "outlet add", "outlet discover",
		"outlet edit", "outlet remove", "pool add", "pool edit", "pool remove", "profile activate", "profile add", "profile edit",
		"profile remove", "restore", "role edit", "role remove", "salt accept", "salt master add", "salt master edit",
		"salt master remove", "salt setup", "settings notify set", "settings notify test", "settings set", "share add", "share edit",
		"share remove", "user add", "user edit", "user remove", "vm add", "vm adopt", "vm edit", "vm move", "vm protect", "vm rebuild", "vm remove",
		"vm unprotect",
	},
}

var ranked = []model.Role{model.RoleViewer, model.RoleOperator, model.RoleAdmin}

// Needs is the least role that may use a command, by its path such as "vm add";
// what is in no list needs the most.
func Needs(path string) model.Role {
	for _, role := range ranked {
		if slices.Contains(needs[role], path) {
			return role
		}
	}
	return model.RoleAdmin
}

// Commands are the paths of all commands that do something.
func Commands() []string {
	var paths []string
	for _, cmd := range leaves(newRoot(&session{lab: nobody{}})) {
		paths = append(paths, pathOf(cmd))
	}
	return paths
}

// nobody is a lab without anybody, to make the tree of commands for.
type nobody struct{ Lab }

func (nobody) User() model.User    { return model.User{Role: model.RoleAdmin} }
func (nobody) State() *model.State { return model.NewState() }

// leaves are the commands that do something themselves.
func leaves(cmd *cobra.Command) []*cobra.Command {
	if !cmd.HasSubCommands() {
		return []*cobra.Command{cmd}
	}
	var all []*cobra.Command
	if cmd.Annotations[aloneToo] != "" {
		all = append(all, cmd)
	}
	for _, sub := range cmd.Commands() {
		all = append(all, leaves(sub)...)
	}
	return all
}

// offer hides what a role may not use, in the help and in completion; what has
// nothing else below it goes too.
func offer(cmd *cobra.Command, role model.Role) (some bool) {
	some = !cmd.HasSubCommands() || cmd.Annotations[aloneToo] != ""
	if some && slices.Index(ranked, Needs(pathOf(cmd))) > slices.Index(ranked, role) {
		some = false
	}
	for _, sub := range cmd.Commands() {
		some = offer(sub, role) || some
	}
	cmd.Hidden = cmd.Hidden || !some
	return some
}
