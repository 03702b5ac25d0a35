package model

import "slices"

// ImagePreset is a cloud image of a distribution, by the name that an image of
// it gets. Each is for x86_64 and has cloud-init in it.
type ImagePreset struct {
	Name     string `json:"name"`
	About    string `json:"about"`
	URL      string `json:"url"`
	Checksum string `json:"checksum"` // the list that the publisher keeps
}

const (
	debianImages = "https://cloud.debian.org/images/cloud/"
	ubuntuImages = "https://cloud-images.ubuntu.com/"
	fedoraImages = "https://download.fedoraproject.org/pub/fedora/linux/releases/"
	archImages   = "https://geo.mirror.pkgbuild.com/images/latest/"
)

// imagePresets name the newest build that a publisher has of a release, with
// the list of checksums beside it. Fedora's names hold the build.
var imagePresets = []ImagePreset{
	{"debian-13", "Debian 13 (trixie)", debianImages + "trixie/latest/debian-13-genericcloud-amd64.qcow2", debianImages + "trixie/latest/SHA512SUMS"},
	{"debian-12", "Debian 12 (bookworm)", debianImages + "bookworm/latest/debian-12-genericcloud-amd64.qcow2", debianImages + "bookworm/latest/SHA512SUMS"},
	{"ubuntu-26.04", "Ubuntu 26.04 LTS (Resolute Raccoon)", ubuntuImages + "resolute/current/resolute-server-cloudimg-amd64.img", ubuntuImages + "resolute/current/SHA256SUMS"},
	{"ubuntu-24.04", "Ubuntu 24.04 LTS (Noble Numbat)", ubuntuImages + "noble/current/noble-server-cloudimg-amd64.img", ubuntuImages + "noble/current/SHA256SUMS"},
	{"ubuntu-22.04", "Ubuntu 22.04 LTS (Jammy Jellyfish)", ubuntuImages + "jammy/current/jammy-server-cloudimg-amd64.img", ubuntuImages + "jammy/current/SHA256SUMS"},
	{"fedora-44", "Fedora Cloud 44", fedoraImages + "44/Cloud/x86_64/images/Fedora-Cloud-Base-Generic-44-1.7.x86_64.qcow2", fedoraImages + "44/Cloud/x86_64/images/Fedora-Cloud-44-1.7-x86_64-CHECKSUM"},
	{"fedora-43", "Fedora Cloud 43", fedoraImages + "43/Cloud/x86_64/images/Fedora-Cloud-Base-Generic-43-1.6.x86_64.qcow2", fedoraImages + "43/Cloud/x86_64/images/Fedora-Cloud-43-1.6-x86_64-CHECKSUM"},
	{"arch", "Arch Linux, rolling", archImages + "Arch-Linux-x86_64-cloudimg.qcow2", archImages + "Arch-Linux-x86_64-cloudimg.qcow2.SHA256"},
}

// ImagePresets are the known cloud images.
func ImagePresets() []ImagePreset { return slices.Clone(imagePresets) }

// PresetImage is an image by the name of its preset.
func PresetImage(preset string) (Image, bool) {
	for _, p := range imagePresets {
		if p.Name == preset {
			return Image{Name: p.Name, URL: p.URL, Checksum: p.Checksum}, true
		}
	}
	return Image{}, false
}
