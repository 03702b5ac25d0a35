package wire

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"regexp"
)

// release is how a release's version lies in its binary.
var release = regexp.MustCompile(`homelab-release:([0-9][0-9A-Za-z.+~-]{0,80});`)

// ReleaseOf finds the version of a release in a part of its binary; empty if it
// is none.
func ReleaseOf(binary []byte) string {
	if m := release.FindSubmatch(binary); m != nil {
		return string(m[1])
	}
	return ""
}

// Binary is a program of homelab's.
type Binary struct {
	Version  string // of the release, or else the commit
	Platform string // such as linux_amd64 or linux_armv7
}

// ReadBinary finds out what a program is without running it. What is no
// program of homelab's is an error.
func ReadBinary(r io.ReaderAt, size int64) (Binary, error) {
	info, err := buildinfo.Read(r)
	if err != nil {
		return Binary{}, errors.New("it is no program that Go has built")
	}
	if info.Path != "homelab" {
		return Binary{}, fmt.Errorf("it is another program, %.60q", info.Path)
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	b := Binary{Platform: set["GOOS"] + "_" + set["GOARCH"]}
	if set["GOARCH"] == "arm" {
		b.Platform = set["GOOS"] + "_armv" + set["GOARM"][:min(1, len(set["GOARM"]))]
	}
	const part, overlap = 1 << 20, 256
	for at := int64(0); at < size && b.Version == ""; at += part - overlap {
		chunk := make([]byte, min(part, size-at))
		if _, err := r.ReadAt(chunk, at); err != nil && !errors.Is(err, io.EOF) {
			return Binary{}, err
		}
		if bytes.Contains(chunk, []byte("homelab-release:")) {
			b.Version = ReleaseOf(chunk)
		}
	}
	if commit := set["vcs.revision"]; b.Version == "" && commit != "" {
		b.Version = commit[:min(12, len(commit))]
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b, nil
}
