package agent

import (
	"context"
	"encoding/xml"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
	"homelab/model"
)

// pools makes and starts the pools of a config and refreshes them: files that
// came or went behind libvirt's back would break terraform's refresh. It returns
// the pools that cannot be had, which break only the VMs that use them.
func (v *virt) pools(ctx context.Context, j teller, m wire.Manifest) (missing map[string]error, err error) {
	v.poolsMu.Lock()
	defer v.poolsMu.Unlock()
	missing = map[string]error{}
	for _, p := range m.Pools {
		made, err := v.pool(ctx, p)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil && p.Name == defaultPool:
			return nil, fmt.Errorf("pool %q: %w", p.Name, err)
		case err != nil:
			missing[p.Name] = err
		case made:
			j.say("made pool %q in %s", p.Name, p.Path)
		}
	}
	return missing, nil
}

// teller is where it is told what was done: to a run, or the agent's log.
type teller interface {
	say(format string, args ...any)
	warn(format string, args ...any)
}

// logTeller tells the agent's log.
type logTeller struct{ log *slog.Logger }

func (t logTeller) say(format string, args ...any)  { t.log.Info(fmt.Sprintf(format, args...)) }
func (t logTeller) warn(format string, args ...any) { t.log.Warn(fmt.Sprintf(format, args...)) }

// raisePools makes the pools of the config that is known when the agent starts:
// after a reboot nothing is mounted, and libvirt starts guests by itself.
func (a *agent) raisePools(ctx context.Context) {
	m := a.manifest.Load()
	if m == nil || m.Platform != model.PlatformLibvirt {
		return
	}
	missing, err := a.virt.pools(ctx, logTeller{a.log}, *m)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("the pools are not all there", "error", err)
	}
	for name, err := range missing {
		a.log.Warn("a pool is not there", "pool", name, "error", err)
	}
}

// pool brings one pool up.
func (v *virt) pool(ctx context.Context, p wire.Pool) (made bool, err error) {
	if p.TmpfsMiB > 0 {
		if err := mountTmpfs(p.Path, p.TmpfsMiB); err != nil {
			return false, err
		}
	}
	pool, err := call(ctx, v, func(l *libvirt.Libvirt) (libvirt.StoragePool, error) { return l.StoragePoolLookupByName(p.Name) })
	if isCode(err, libvirt.ErrNoStoragePool) {
		made = true
		pool, err = v.definePool(ctx, p)
	}
	if err != nil {
		return false, err
	}
	if err := v.samePool(ctx, pool, p); err != nil {
		return false, err
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
	text, err := xml.Marshal(poolXMLOf(p))
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

// poolXML is a pool as libvirt has it: a folder, or one where libvirt itself
// mounts an export.
type poolXML struct {
	XMLName xml.Name    `xml:"pool"`
	Type    string      `xml:"type,attr"`
	Name    string      `xml:"name"`
	Source  *poolSource `xml:"source,omitempty"`
	Path    string      `xml:"target>path"`
}

type poolSource struct {
	Host struct {
		Name string `xml:"name,attr"`
	} `xml:"host"`
	Dir struct {
		Path string `xml:"path,attr"`
	} `xml:"dir"`
	Format struct {
		Type string `xml:"type,attr"`
	} `xml:"format"`
}

const (
	poolDir   = "dir"
	poolNetFS = "netfs"
)

func poolXMLOf(p wire.Pool) poolXML {
	x := poolXML{Type: poolDir, Name: p.Name, Path: p.Path}
	if host, dir, ok := strings.Cut(p.NFS, ":"); ok {
		x.Type, x.Source = poolNetFS, &poolSource{}
		x.Source.Host.Name, x.Source.Dir.Path, x.Source.Format.Type = host, dir, "nfs"
	}
	return x
}

// export is what of an NFS server is mounted; empty is nothing.
func (x poolXML) export() string {
	if x.Type != poolNetFS || x.Source == nil {
		return ""
	}
	return x.Source.Host.Name + ":" + x.Source.Dir.Path
}

// samePool tells whether the pool that is there is the one of the config: disks
// are never made elsewhere than people believe.
func (v *virt) samePool(ctx context.Context, pool libvirt.StoragePool, p wire.Pool) error {
	text, err := call(ctx, v, func(l *libvirt.Libvirt) (string, error) { return l.StoragePoolGetXMLDesc(pool, 0) })
	if err != nil {
		return err
	}
	var is poolXML
	if err := xml.Unmarshal([]byte(text), &is); err != nil {
		return err
	}
	switch {
	case filepath.Clean(is.Path) != filepath.Clean(p.Path):
		return fmt.Errorf("it lies in %s on the hypervisor and in %s in the config: change the hypervisor's pool to that", is.Path, p.Path)
	case is.Type != poolDir && is.Type != poolNetFS && p.NFS == "" && p.TmpfsMiB == 0:
		return nil // somebody's own, such as a file system that libvirt mounts
	case is.export() != p.NFS:
		return fmt.Errorf("it is %s on the hypervisor and %s in the config: change the hypervisor's pool, or undefine it there", mountWords(is.export()), mountWords(p.NFS))
	}
	return nil
}

func mountWords(export string) string {
	if export == "" {
		return "a folder"
	}
	return "the export " + export
}
