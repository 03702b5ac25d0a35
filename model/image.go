package model

import (
	"cmp"
	"net/url"
	"strings"
)

// ChecksumNone is the checksum of an image whose content nothing verifies,
// said on purpose.
const ChecksumNone = "none"

// Formats of disks.
const (
	FormatQCOW2 = "qcow2"
	FormatRaw   = "raw"
)

// Source is where the image's file comes from: its URL, or its path on the
// hypervisor.
func (i Image) Source() string { return cmp.Or(i.URL, i.Path) }

// Verified tells whether the file is held against a checksum.
func (i Image) Verified() bool { return i.Checksum != "" && i.Checksum != ChecksumNone }

// ImageFile is a file that an agent has put into its default pool for an image,
// or has begun to.
type ImageFile struct {
	Image   string `json:"image"`            // its name, when the file was made
	Volume  string `json:"volume"`           // the file's name in the pool
	Bytes   int64  `json:"bytes"`            // that it takes on the disk
	Used    bool   `json:"used"`             // a disk stands on it, or the config wants it
	Partial bool   `json:"partial,omitzero"` // fetched in part
}

// Format is that of the VM's extra disk.
func (vm VM) Format() string { return cmp.Or(vm.ExtraFormat, FormatQCOW2) }

func (c *checker) image(i Image) {
	c.rule(isName(i.Name), "name", i.Name, ruleName)
	switch {
	case i.URL == "":
		c.rule(i.Path != "", "path", i.Path, "must be given, or a url")
		c.rule(i.Path == "" || isPath(i.Path), "path", i.Path, rulePath)
	case i.Path != "":
		c.rule(false, "path", i.Path, "must be empty: the image has a URL, and comes from one of the two")
	default:
		c.imageURL("url", i.URL, "http", "https", "file")
	}
	switch {
	case i.Checksum == "":
		c.rule(i.URL == "" || strings.HasPrefix(i.URL, "file:"), "checksum", "",
			"must be there for what comes over the network: sha256:HEX, sha512:HEX, the URL of the publisher's list, or the word none for an image that nothing verifies")
	case strings.Contains(i.Checksum, "://"):
		c.imageURL("checksum", i.Checksum, "http", "https")
		c.rule(i.URL != "", "checksum", i.Checksum, "is a list of files by their names, which goes with a URL")
	case i.Checksum != ChecksumNone:
		c.rule(isChecksum(i.Checksum), "checksum", i.Checksum,
			"must be sha256: and 64, or sha512: and 128 lower-case hex digits, the URL of a list of them, or none")
	}
}

// imageURL checks a URL that ends with the name of a file.
func (c *checker) imageURL(field, value string, schemes ...string) {
	u, err := url.Parse(value)
	if !c.rule(err == nil && isText(value, 2048), field, value, "must be a URL without control characters") {
		return
	}
	c.oneOf(field, u.Scheme, schemes...)
	c.rule(u.User == nil, field, "…", "must not carry a user name or a password: all who may look would see it")
	if u.Scheme == "file" {
		c.rule(u.Host == "" && isPath(u.Path), field, value, "must be file:// and an absolute path on the hypervisor")
		return
	}
	c.rule(u.Hostname() != "" && u.Path != "" && !strings.HasSuffix(u.Path, "/"), field, value, "must name a host, and a file there")
}
