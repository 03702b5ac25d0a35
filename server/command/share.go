package command

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"homelab/model"
)

// shareJSON is a share as it is shown.
type shareJSON struct {
	model.Share
	VMs    []string          `json:"vms"`
	Status model.ShareStatus `json:"status"`
}

func shares(s *session) noun[model.Share] {
	return noun[model.Share]{
		s: s, kind: model.KindShare, word: "share", plural: "shares",
		all:    func(st *model.State) map[string]model.Share { return st.Shares },
		name:   func(sh *model.Share) *string { return &sh.Name },
		fresh:  model.NewShare,
		fields: shareFields,
		complete: func(_ *fields[model.Share], sh *model.Share) error {
			if sh.Server == "" || sh.Export == "" {
				return usagef("say what to mount with --server and --export, such as: --server nas.lan --export /volume1/media")
			}
			return nil
		},
		next: "vm edit VM --share %s",
		json: func(st *model.State, sh model.Share) any {
			return shareJSON{sh, st.MountedBy(sh.Name), s.shareStatus(sh.Name)}
		},
		header: []string{"name", "awake", "server", "export", "mount", "vms", "known"},
		row: func(st *model.State, sh model.Share) []cell {
			status := s.shareStatus(sh.Name)
			return []cell{
				{text: sh.Name},
				awakeCell(status),
				{text: sh.Server},
				{text: sh.Export},
				{text: sh.Mount},
				plainCell("%d", len(st.MountedBy(sh.Name))),
				{text: s.ageOf(status.Observed)},
			}
		},
		detail: func(st *model.State, sh model.Share) []pair {
			status := s.shareStatus(sh.Name)
			return []pair{
				{"name", cell{text: sh.Name}},
				{"server", cell{text: sh.Server}},
				{"export", cell{text: sh.Export}},
				{"mount", cell{text: sh.Mount}},
				{"options", cell{text: sh.MountOptions()}},
				{"outlet", cell{text: or(sh.Outlet, "none")}},
				{"hypervisor", cell{text: or(sh.Hypervisor, "none")}},
				{"awake", awakeCell(status)},
				{"known by", cell{text: status.Why}},
				{"known", cell{text: s.ageOf(status.Observed)}},
				{"vms", cell{text: or(strings.Join(st.MountedBy(sh.Name), ", "), "none")}},
				{"changed", plainCell("%s, in revision %d", s.age(sh.Changed), sh.Version)},
			}
		},
	}
}

func shareFields(f *fields[model.Share]) {
	f.text("server", "host name or IP address of the storage server", func(sh *model.Share) *string { return &sh.Server })
	f.text("export", "path that the server exports, absolute", func(sh *model.Share) *string { return &sh.Export })
	f.text("mount", "where guests see it, absolute; /mnt/NAME unless it is given", func(sh *model.Share) *string { return &sh.Mount })
	f.list("option", "options of the mount, such as ro,vers=4.2", func(sh *model.Share) *[]string { return &sh.Options })
	f.text("outlet", "the outlet that feeds the storage server", func(sh *model.Share) *string { return &sh.Outlet })
	f.text("hypervisor", "the hypervisor that is the storage server", func(sh *model.Share) *string { return &sh.Hypervisor })
	f.suggest("outlet", model.KindOutlet)
	f.suggest("hypervisor", model.KindHypervisor)
	f.known("server", func(st *model.State) []string { return used(st, func(sh model.Share) string { return sh.Server }) })
	f.known("export", func(st *model.State) []string { return used(st, func(sh model.Share) string { return sh.Export }) })
}

// used are the values that a field of shares has so far.
func used(st *model.State, field func(model.Share) string) []string {
	var all []string
	for _, sh := range values(st.Shares) {
		all = append(all, field(sh))
	}
	return unique(all)
}

// shareStatus is never empty: what nobody observed is unknown.
func (s *session) shareStatus(name string) model.ShareStatus {
	st, ok := s.observed().Shares[name]
	if !ok {
		return model.ShareStatus{Awake: model.PowerUnknown, Why: "nothing tells yet"}
	}
	return st
}

func awakeCell(st model.ShareStatus) cell {
	switch st.Awake {
	case model.PowerOn:
		return cell{"awake", green}
	case model.PowerOff:
		return cell{"asleep", faint}
	}
	return cell{"unknown", yellow}
}

// ageOf is age for what may never have been.
func (s *session) ageOf(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return s.age(at)
}

func shareCommand(s *session) *cobra.Command {
	n := shares(s)
	return parent(
		&cobra.Command{
			Use: "share", Aliases: []string{"shares"}, Short: "NFS exports of a storage server, mounted on demand",
			Long: `NFS exports of a storage server that VMs mount on demand: with the first look at
one, and no longer than ten minutes after the last. A server that sleeps neither
delays a boot nor is kept awake.

Whether the server is awake is found out without waking it: by its outlet and what
that draws (below the outlet's idle_watts it sleeps), and by a ping. Nothing of NFS is asked: a
server looks that up on its disks.`,
		},
		n.list(), n.show(),
		n.add("share add media --server nas.lan --export /volume1/media --outlet nas\nshare add backup --server 192.168.1.5 --export /backup --mount /srv/backup --option ro",
			"Add a share. A VM mounts it with: vm edit VM --share NAME,…"),
		n.edit("share edit media --option vers=4.2,ro"),
		n.remove("Remove shares that no VM mounts. What is on the server stays."),
	)
}
