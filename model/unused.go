package model

import "fmt"

// Unused is what of images nothing uses: images that no VM is made from, and
// on the hypervisors whose agents are connected the files that no disk stands
// on.
type Unused struct {
	Images []string     `json:"images"`
	Files  []UnusedFile `json:"files"`
	Bytes  int64        `json:"bytes"` // that the files take
}

// UnusedFile is a file of an image on a hypervisor.
type UnusedFile struct {
	Hypervisor string `json:"hypervisor"`
	ImageFile
}

// FindUnused finds what of images nothing uses.
func FindUnused(s *State, st Status) Unused {
	u := Unused{Images: []string{}, Files: []UnusedFile{}}
	used := map[string]bool{}
	for _, vm := range s.VMs {
		used[vm.Image] = true
	}
	for _, name := range Names(s.Images) {
		if !used[name] {
			u.Images = append(u.Images, name)
		}
	}
	for _, hv := range Names(st.Hypervisors) {
		if st.Hypervisors[hv].Agent != AgentOnline {
			continue
		}
		for _, f := range st.Hypervisors[hv].Images {
			if !f.Used {
				u.Files = append(u.Files, UnusedFile{hv, f})
				u.Bytes += f.Bytes
			}
		}
	}
	return u
}

// None tells whether everything is used.
func (u Unused) None() bool { return len(u.Images)+len(u.Files) == 0 }

// Forget removes the images.
func (u Unused) Forget() Edit {
	edits := make([]Edit, 0, len(u.Images))
	for _, name := range u.Images {
		edits = append(edits, Remove[Image](name))
	}
	return Edits(edits...)
}

// On are the files by hypervisor.
func (u Unused) On() map[string][]string {
	on := map[string][]string{}
	for _, f := range u.Files {
		on[f.Hypervisor] = append(on[f.Hypervisor], f.Volume)
	}
	return on
}

// Lines say what would be removed, and why.
func (u Unused) Lines() []string {
	var lines []string
	for _, name := range u.Images {
		lines = append(lines, fmt.Sprintf("image %s is removed: no VM is made from it", name))
	}
	for _, f := range u.Files {
		why := "no disk stands on it"
		if f.Partial {
			why = "it was fetched in part"
		}
		lines = append(lines, fmt.Sprintf("%s: %s of image %s, %s, is removed: %s", f.Hypervisor, f.Volume, f.Image, SizeOf(f.Bytes), why))
	}
	return lines
}

// SizeOf writes a number of bytes in the largest unit that it fills.
func SizeOf(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%dGiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%dMiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return fmt.Sprintf("%dB", n)
}
