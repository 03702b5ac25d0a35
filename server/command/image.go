package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

func images(s *session) noun[model.Image] {
	return noun[model.Image]{
		s: s, kind: model.KindImage, word: "image", plural: "images",
		all:      func(st *model.State) map[string]model.Image { return st.Images },
		name:     func(i *model.Image) *string { return &i.Name },
		fresh:    func(name string) model.Image { return model.Image{Name: name} },
		fields:   imageFields,
		complete: completeImage,
		json:     func(_ *model.State, i model.Image) any { return i },
		header:   []string{"name", "source", "vms", "checksum"},
		row: func(st *model.State, i model.Image) []cell {
			return []cell{{text: i.Name}, {text: i.Source()}, plainCell("%d", usersOf(st, i.Name)), checksumCell(i)}
		},
		detail: func(st *model.State, i model.Image) []pair {
			from := "path"
			if i.URL != "" {
				from = "url"
			}
			pairs := []pair{
				{"name", cell{text: i.Name}},
				{from, cell{text: i.Source()}},
				{"checksum", cell{text: or(i.Checksum, model.ChecksumNone)}},
				{"vms", plainCell("%d", usersOf(st, i.Name))},
			}
			return append(append(pairs, s.imageFiles(i.Name)...),
				pair{"changed", plainCell("%s, in revision %d", s.age(i.Changed), i.Version)})
		},
	}
}

func imageFields(f *fields[model.Image]) {
	f.text("path", "the file on the hypervisors, absolute", func(i *model.Image) *string { return &i.Path })
	f.text("url", "where agents fetch it: http://, https:// or file://", func(i *model.Image) *string { return &i.URL })
	f.on("path", func(i *model.Image) { // one takes the place of the other
		if !f.given("url") {
			i.URL = ""
		}
	})
	f.on("url", func(i *model.Image) {
		if !f.given("path") {
			i.Path = ""
		}
	})
	f.text("checksum", "of the file: sha256:HEX, sha512:HEX, the URL of the publisher's list (SHA256SUMS and the like), or none", func(i *model.Image) *string { return &i.Checksum })
	for _, kind := range []string{"sha256", "sha512"} {
		sum := f.cmd.Flags().String(kind, "", "the same as --checksum "+kind+":`HEX`")
		f.on(kind, func(i *model.Image) { i.Checksum = kind + ":" + strings.ToLower(strings.TrimSpace(*sum)) })
	}
	f.choices("checksum", "sha256:", "sha512:", "https://", model.ChecksumNone)
	f.choices("url", "https://", "http://", "file:///")
}

// completeImage says what else an image needs.
func completeImage(_ *fields[model.Image], i *model.Image) error {
	switch {
	case i.Source() == "":
		return &usageError{
			err:  fmt.Errorf("say where the file comes from: --url URL, or --path FILE for one that lies on the hypervisors"),
			hint: presetHint(i.Name),
		}
	case i.URL != "" && i.Checksum == "" && !strings.HasPrefix(i.URL, "file:"):
		return &usageError{
			err:  fmt.Errorf("say how what comes from there is known to be right: --sha256 HEX, --sha512 HEX, or --checksum with the URL of the publisher's list"),
			hint: "--checksum none takes whatever comes",
		}
	}
	return nil
}

func presetHint(name string) string {
	if _, ok := model.PresetImage(name); ok {
		return fmt.Sprintf("that of the distribution: image add %s --preset %s", name, name)
	}
	return "those of distributions: image presets"
}

// fromPreset begins an image with what is known of a distribution's.
func fromPreset(f *fields[model.Image], i *model.Image) error {
	preset, _ := f.cmd.Flags().GetString("preset")
	if preset == "" {
		return nil
	}
	known, ok := model.PresetImage(preset)
	if !ok {
		return &usageError{err: fmt.Errorf("there is no preset %q", cut(preset, 60)), hint: "see them with: image presets"}
	}
	i.URL, i.Checksum = known.URL, known.Checksum
	return nil
}

func checksumCell(i model.Image) cell {
	if !i.Verified() && i.URL != "" {
		return cell{"unverified", yellow}
	}
	return cell{text: cut(or(i.Checksum, model.ChecksumNone), 20)}
}

// imageFiles tells on which hypervisors an image's file is.
func (s *session) imageFiles(name string) []pair {
	var pairs []pair
	status := s.lab.Status().Hypervisors
	for _, hv := range model.Names(status) {
		for _, f := range status[hv].Images {
			if f.Image == name {
				pairs = append(pairs, pair{"on " + hv, cell{text: fileWords(f)}})
			}
		}
	}
	return pairs
}

// fileWords says how large an image's file is, and what is to be known of it.
func fileWords(f model.ImageFile) string {
	text := f.Volume + ", " + model.SizeOf(f.Bytes)
	switch {
	case f.Partial:
		text += ", fetched in part"
	case !f.Used:
		text += ", unused"
	}
	return text
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
	n.prepare = fromPreset
	add := n.add("image add debian-12 --preset debian-12\nimage add debian --url https://…/debian.qcow2 --sha512 …\nimage add golden --path /srv/golden.qcow2",
		`Add an image: a qcow2 or raw file that root disks are made from. Each hypervisor's
agent fetches it from its URL when a VM there needs it, once, and holds it against the
checksum; or takes the file that lies at its path. The image of a distribution is
known by a preset, with the list of checksums that its publisher keeps.`)
	add.Flags().String("preset", "", "begin with what is known of a distribution's image: see image presets")
	var known []string
	for _, p := range model.ImagePresets() {
		known = append(known, p.Name)
	}
	annotate(add.Flags().Lookup("preset"), "words", known...)
	return parent(
		&cobra.Command{Use: "image", Aliases: []string{"images"}, Short: "What root disks are made from"},
		n.list(), n.show(), add,
		n.edit("image edit debian-12 --sha512 …"),
		n.remove("Remove images that no VM is made from. Their files stay until image prune."),
		presetImages(s), pruneImages(s),
	)
}

func presetImages(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "presets",
		Short:   "List the images of distributions that are known",
		Long:    "List the images of distributions that are known: where the publisher has the newest, for x86_64.",
		Example: "image presets\nimage add debian-12 --preset debian-12",
		Args:    exactly(),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if *asJSON {
			return s.printJSON(model.ImagePresets())
		}
		t := &table{header: []string{"preset", "what", "url"}}
		for _, p := range model.ImagePresets() {
			t.add(cell{text: p.Name}, cell{text: p.About}, cell{text: p.URL})
		}
		s.printTable(t)
		return nil
	}
	return cmd
}
