package terraform

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"homelab/agent/wire"
)

// Config is the config of one hypervisor. It is not written after it was
// rendered and may be shared; so must its readers not write it.
type Config struct {
	Hypervisor string
	Digest     string // SHA-256 of Tar, in hex
	Tar        []byte // manifest.json, main.tf and a file for each VM
	Manifest   wire.Manifest
}

// pack puts a config together.
func pack(m wire.Manifest, main []byte, parts []part) (*Config, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("the manifest: %w", err)
	}
	head, err := entry(wire.ManifestFile, text.Bytes())
	if err != nil {
		return nil, err
	}
	first, err := entry(wire.MainFile, main)
	if err != nil {
		return nil, err
	}
	const end = 1024 // two empty blocks end a tar
	size := len(head) + len(first) + end
	for _, p := range parts {
		size += len(p.file)
	}
	all := make([]byte, 0, size)
	all = append(append(all, head...), first...)
	for _, p := range parts {
		all = append(all, p.file...)
	}
	all = append(all, make([]byte, end)...)
	sum := sha256.Sum256(all)
	return &Config{Hypervisor: m.Hypervisor, Digest: hex.EncodeToString(sum[:]), Tar: all, Manifest: m}, nil
}

// entry is one file as a tar has it: header, content, padding. Entries can be
// put one after another.
func entry(name string, content []byte) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(content) + 1024)
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Format: tar.FormatUSTAR})
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("tar entry %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// Text is the whole config to read: its files one after another, each seed's
// three files as the guest sees them instead of as the manifest has them.
func (c *Config) Text() string {
	var b strings.Builder
	c.manifestText(&b)
	for r := tar.NewReader(bytes.NewReader(c.Tar)); ; {
		h, err := r.Next()
		if err != nil {
			break // the end: the tar is ours and whole
		}
		if h.Name == wire.ManifestFile {
			continue
		}
		content, _ := io.ReadAll(r)
		section(&b, h.Name, string(content))
	}
	for _, vm := range c.Manifest.VMs {
		seed, ok := c.Manifest.SeedOf(vm)
		if !ok {
			continue
		}
		section(&b, vm.SeedISO+"/user-data", seed.UserData)
		section(&b, vm.SeedISO+"/meta-data", seed.MetaData)
		section(&b, vm.SeedISO+"/network-config", seed.NetworkConfig)
	}
	return b.String()
}

func (c *Config) manifestText(b *strings.Builder) {
	m := c.Manifest
	m.UserData = ""
	m.VMs = make([]wire.VM, 0, len(c.Manifest.VMs))
	for _, vm := range c.Manifest.VMs {
		vm.Seed = nil
		m.VMs = append(m.VMs, vm)
	}
	text, _ := json.MarshalIndent(m, "", "  ") // strings only: cannot fail
	section(b, wire.ManifestFile, string(text)+"\n")
}

func section(b *strings.Builder, name, content string) {
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "# ---- %s\n", name)
	b.WriteString(content)
}
