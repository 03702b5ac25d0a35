package tui

import "homelab/model"

// newImageForm edits an image, or adds one if name is empty: then what is known
// of a distribution's can be chosen.
func newImageForm(a *app, name string) *form {
	ref := model.Ref{Kind: model.KindImage, Name: name}
	var preset chosenPreset
	return newForm(a, &form{
		ref: ref, verb: verb("image", name),
		load: func(s *model.State) ([]*field, uint64, bool) {
			im, ok := s.Images[name]
			fields := []*field{(&field{key: "name", label: "name", hint: "such as debian-13", blank: "–"}).with(name)}
			if name == "" {
				preset = ""
				fields = append(fields, presetField())
			}
			return append(fields,
				(&field{key: "url", label: "url", hint: "http, https or file: agents fetch it; or a path", blank: "–"}).with(im.URL),
				(&field{key: "path", label: "path", hint: "absolute path of the file on the hypervisors; or a url", blank: "–"}).with(im.Path),
				(&field{key: "checksum", label: "checksum", hint: "sha256:HEX, sha512:HEX, the URL of the publisher's list, or none", blank: "–"}).with(im.Checksum),
			), im.Version, ok || name == ""
		},
		depend: func(f *form, _ *model.State) {
			if name == "" {
				preset.fill(f)
			}
		},
		edit: edits(ref, func(string) model.Image { return model.Image{} }, func(im *model.Image, v values) error {
			im.Name, im.URL, im.Path, im.Checksum = v["name"], v["url"], v["path"], v["checksum"]
			return nil
		}),
	})
}

func presetField() *field {
	options := []string{""}
	for _, p := range model.ImagePresets() {
		options = append(options, p.Name)
	}
	return (&field{key: "preset", label: "preset", kind: choice, hint: "←/→: the image of a distribution, from its publisher", blank: "–", options: options}).with("")
}

// chosenPreset is the preset that a form was filled in from last.
type chosenPreset string

// fill puts what is known of another preset into the fields. A name that was
// typed stays.
func (p *chosenPreset) fill(f *form) {
	chosen := f.field("preset").value()
	if chosen == string(*p) {
		return
	}
	im, _ := model.PresetImage(chosen)
	if name := f.field("name"); name.value() == string(*p) {
		name.set(im.Name)
	}
	f.field("url").set(im.URL)
	f.field("checksum").set(im.Checksum)
	*p = chosenPreset(chosen)
}
