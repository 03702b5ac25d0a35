package agent

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
)

// Console opens the pseudo-terminal behind a guest's first serial port. The
// library has half of libvirt's own call for it: it only listens.
func (v *virt) Console(ctx context.Context, _ wire.Manifest, id string) (io.ReadWriteCloser, error) {
	d, ok, err := v.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s has no domain here", v.a.names.Of(id))
	}
	if !d.active() {
		return nil, fmt.Errorf("%s is %s: start it first", v.a.names.Of(id), d.state)
	}
	text, err := call(ctx, v, func(l *libvirt.Libvirt) (string, error) { return l.DomainGetXMLDesc(d.Domain, 0) })
	if err != nil {
		return nil, err
	}
	path, err := serialPath(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.a.names.Of(id), err)
	}
	return openTTY(path)
}

// serialPath finds the pseudo-terminal of a running domain's first serial port.
func serialPath(domain string) (string, error) {
	type port struct {
		Type   string `xml:"type,attr"`
		Source struct {
			Path string `xml:"path,attr"`
		} `xml:"source"`
	}
	var d struct {
		Serials  []port `xml:"devices>serial"`
		Consoles []port `xml:"devices>console"`
	}
	if err := xml.Unmarshal([]byte(domain), &d); err != nil {
		return "", fmt.Errorf("its definition cannot be read: %w", err)
	}
	for _, p := range append(d.Serials, d.Consoles...) {
		if p.Type == "pty" && p.Source.Path != "" {
			return p.Source.Path, nil
		}
	}
	return "", errors.New("its domain has no serial console of the type pty")
}
