package command

import (
	"github.com/spf13/cobra"

	"homelab/model"
)

func images(s *session) noun[model.Image] {
	return noun[model.Image]{
		s: s, kind: model.KindImage, word: "image", plural: "images",
		all:   func(st *model.State) map[string]model.Image { return st.Images },
		name:  func(i *model.Image) *string { return &i.Name },
		fresh: func(name string) model.Image { return model.Image{Name: name} },
		fields: func(f *fields[model.Image]) {
			f.text("path", "the file on the hypervisors, absolute", func(i *model.Image) *string { return &i.Path })
			f.text("checksum", "of the file, as sha256:HEX or sha512:HEX", func(i *model.Image) *string { return &i.Checksum })
		},
		complete: func(_ *fields[model.Image], i *model.Image) error {
			if i.Path == "" {
				return usagef("say where the file lies on the hypervisors with --path")
			}
			return nil
		},
		json:   func(_ *model.State, i model.Image) any { return i },
		header: []string{"name", "path", "vms", "checksum"},
		row: func(st *model.State, i model.Image) []cell {
			return []cell{{text: i.Name}, {text: i.Path}, plainCell("%d", usersOf(st, i.Name)), {text: cut(or(i.Checksum, "none"), 20)}}
		},
		detail: func(st *model.State, i model.Image) []pair {
			return []pair{
				{"name", cell{text: i.Name}},
				{"path", cell{text: i.Path}},
				{"checksum", cell{text: or(i.Checksum, "none")}},
				{"vms", plainCell("%d", usersOf(st, i.Name))},
				{"changed", plainCell("%s, in revision %d", s.age(i.Changed), i.Version)},
			}
		},
	}
}

// usersOf counts the VMs on an image.
func usersOf(st *model.State, image string) int {
	n := 0
	for _, vm := range st.VMs {
		if vm.Image == image {
			n++
		}
	}
	return n
}

func imageCommand(s *session) *cobra.Command {
	n := images(s)
	return parent(
		&cobra.Command{Use: "image", Aliases: []string{"images"}, Short: "What root disks are made from"},
		n.list(), n.show(),
		n.add("image add debian-12 --path /var/lib/libvirt/images/debian-12-genericcloud-amd64.qcow2",
			"Add an image: a file that lies on the hypervisors."),
		n.edit("image edit debian-12 --checksum sha256:…"),
		n.remove("Remove images that no VM is made from. The files stay."),
	)
}
