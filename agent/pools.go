package agent

import (
	"context"
	"encoding/xml"
	"fmt"
	"path/filepath"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
)

// pools makes and starts the pools of a config and refreshes them: files that
// came or went behind libvirt's back would break terraform's refresh. A pool
// that cannot be had breaks only the VMs that use it.
func (v *virt) pools(ctx context.Context, j *job, m wire.Manifest) error {
	for _, p := range m.Pools {
		made, err := v.pool(ctx, p)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && p.Name == defaultPool:
			return fmt.Errorf("pool %q: %w", p.Name, err)
		case err != nil:
			j.warn("pool %q: %v", p.Name, err)
		case made:
			j.say("made pool %q in %s", p.Name, p.Path)
		}
	}
	return nil
}

// pool brings one pool up.
func (v *virt) pool(ctx context.Context, p wire.Pool) (made bool, err error) {
	pool, err := call(ctx, v, func(l *libvirt.Libvirt) (libvirt.StoragePool, error) { return l.StoragePoolLookupByName(p.Name) })
	if isCode(err, libvirt.ErrNoStoragePool) {
		made = true
		pool, err = v.definePool(ctx, p)
	}
	if err != nil {
		return false, err
	}
	path, err := v.poolPath(ctx, pool)
	if err != nil {
		return false, err
	}
	if filepath.Clean(path) != filepath.Clean(p.Path) {
		return false, fmt.Errorf("it lies in %s on the hypervisor and in %s in the config: change the hypervisor's pool to that", path, p.Path)
	}
	err = v.do(ctx, func(l *libvirt.Libvirt) error {
		active, err := l.StoragePoolIsActive(pool)
		if err != nil {
			return err
		}
		if active == 0 {
			if err := l.StoragePoolBuild(pool, libvirt.StoragePoolBuildNew); err != nil { // makes the folder
				return err
			}
			if err := l.StoragePoolCreate(pool, 0); err != nil {
				return err
			}
		}
		return l.StoragePoolRefresh(pool, 0)
	})
	return made, err
}

func (v *virt) definePool(ctx context.Context, p wire.Pool) (libvirt.StoragePool, error) {
	text, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"pool"`
		Type    string   `xml:"type,attr"`
		Name    string   `xml:"name"`
		Path    string   `xml:"target>path"`
	}{Type: "dir", Name: p.Name, Path: p.Path})
	if err != nil {
		return libvirt.StoragePool{}, err
	}
	return call(ctx, v, func(l *libvirt.Libvirt) (libvirt.StoragePool, error) {
		pool, err := l.StoragePoolDefineXML(string(text), 0)
		if err != nil {
			return pool, err
		}
		return pool, l.StoragePoolSetAutostart(pool, 1)
	})
}

func (v *virt) poolPath(ctx context.Context, pool libvirt.StoragePool) (string, error) {
	text, err := call(ctx, v, func(l *libvirt.Libvirt) (string, error) { return l.StoragePoolGetXMLDesc(pool, 0) })
	if err != nil {
		return "", err
	}
	var p struct {
		Path string `xml:"target>path"`
	}
	return p.Path, xml.Unmarshal([]byte(text), &p)
}

// hasDisk tells whether a domain's XML has a volume as a disk, named by its
// pool (as the provider does it) or by its path (as people do).
func hasDisk(text string, x volume, path string) (bool, error) {
	var d struct {
		Disks []struct {
			Source struct {
				File   string `xml:"file,attr"`
				Pool   string `xml:"pool,attr"`
				Volume string `xml:"volume,attr"`
			} `xml:"source"`
		} `xml:"devices>disk"`
	}
	if err := xml.Unmarshal([]byte(text), &d); err != nil {
		return false, err
	}
	for _, disk := range d.Disks {
		if s := disk.Source; s.File == path || s.Pool == x.Pool && s.Volume == x.Name {
			return true, nil
		}
	}
	return false, nil
}
