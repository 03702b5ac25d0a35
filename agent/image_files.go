package agent

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
	"homelab/model"
)

// imageFiles remembers which files of the default pool we have put there for
// images: no other is ever removed.
type imageFiles struct {
	f    folder
	mu   sync.Mutex
	m    map[string]string // image by volume
	used map[string]bool   // by path: what disks stand on; nil is to be looked up
}

func openImageFiles(f folder) (*imageFiles, error) {
	i := &imageFiles{f: f, m: map[string]string{}}
	return i, f.load(imagesFile, &i.m)
}

// Add notes that a file is ours, before it is there.
func (i *imageFiles) Add(volume, image string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.m[volume] == image {
		return nil
	}
	i.m[volume] = image
	return i.f.save(imagesFile, i.m)
}

func (i *imageFiles) Forget(volume string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.m, volume)
	return i.f.save(imagesFile, i.m)
}

// Look makes the next listing find out anew what is used.
func (i *imageFiles) Look() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.used = nil
}

func (i *imageFiles) all() map[string]string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.m)
}

// Images lists the files of images, those too that were begun and are not
// wanted any more.
func (v *virt) Images(ctx context.Context, m wire.Manifest) []model.ImageFile {
	dir := defaultDir(m)
	known := v.files.all()
	if dir == "" || len(known) == 0 {
		return nil
	}
	used, err := v.usedFiles(ctx)
	var files []model.ImageFile
	for _, volume := range slices.Sorted(maps.Keys(known)) {
		wanted := err != nil || slices.ContainsFunc(m.Images, func(i wire.Image) bool { return i.Volume == volume })
		path := filepath.Join(dir, volume)
		if info, err := os.Stat(path); err == nil {
			files = append(files, model.ImageFile{Image: known[volume], Volume: volume, Bytes: occupied(info), Used: wanted || used[path]})
		}
		if info, err := os.Stat(string(partialOf(path))); err == nil && !wanted { // else a run tells how far it is
			files = append(files, model.ImageFile{Image: known[volume], Volume: volume, Bytes: occupied(info), Partial: true})
		}
	}
	return files
}

// occupied is what a file takes on its disk.
func occupied(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}

// Prune removes files of images, each only if it is ours and nothing uses it.
func (v *virt) Prune(ctx context.Context, m wire.Manifest, volumes []string) error {
	v.files.Look()
	var errs []error
	files := v.Images(ctx, m)
	for _, volume := range volumes {
		mine := func(f model.ImageFile) bool { return f.Volume == volume }
		switch {
		case !slices.ContainsFunc(files, mine):
			continue // it is gone
		case slices.ContainsFunc(files, func(f model.ImageFile) bool { return mine(f) && f.Used }):
			errs = append(errs, fmt.Errorf("%s is used", volume))
			continue
		}
		path := filepath.Join(defaultDir(m), volume)
		partialOf(path).Remove()
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		v.a.log.Info("file of an image removed", "file", path)
		errs = append(errs, v.files.Forget(volume))
	}
	return errors.Join(append(errs, v.refresh(ctx, defaultPool))...)
}

// usedFiles are the files that a volume of any pool, or any domain, stands on.
// It is found out once after each run: only what is done here, or told by
// hand, changes it.
func (v *virt) usedFiles(ctx context.Context) (map[string]bool, error) {
	v.files.mu.Lock()
	used := v.files.used
	v.files.mu.Unlock()
	if used != nil {
		return used, nil
	}
	used, err := call(ctx, v, func(l *libvirt.Libvirt) (map[string]bool, error) {
		used := map[string]bool{}
		if err := backings(l, used); err != nil {
			return nil, err
		}
		return used, domainFiles(l, used)
	})
	if err == nil {
		v.files.mu.Lock()
		v.files.used = used
		v.files.mu.Unlock()
	}
	return used, err
}

// backings are the files that volumes stand on.
func backings(l *libvirt.Libvirt, used map[string]bool) error {
	pools, _, err := l.ConnectListAllStoragePools(1, libvirt.ConnectListStoragePoolsActive)
	if err != nil {
		return err
	}
	for _, pool := range pools {
		vols, _, err := l.StoragePoolListAllVolumes(pool, 1, 0)
		if err != nil {
			return err
		}
		for _, vol := range vols {
			text, err := l.StorageVolGetXMLDesc(vol, 0)
			if isCode(err, libvirt.ErrNoStorageVol) {
				continue
			}
			if err != nil {
				return err
			}
			var x struct {
				Backing string `xml:"backingStore>path"`
			}
			if err := xml.Unmarshal([]byte(text), &x); err != nil {
				return err
			}
			used[x.Backing] = true
		}
	}
	return nil
}

// domainFiles are the files that domains have as disks, and what those stand
// on as far as libvirt says.
func domainFiles(l *libvirt.Libvirt, used map[string]bool) error {
	domains, _, err := l.ConnectListAllDomains(1, 0)
	if err != nil {
		return err
	}
	for _, d := range domains {
		text, err := l.DomainGetXMLDesc(d, 0)
		if isCode(err, libvirt.ErrNoDomain) {
			continue
		}
		if err != nil {
			return err
		}
		dec := xml.NewDecoder(strings.NewReader(text))
		for {
			t, err := dec.Token()
			if err != nil {
				break
			}
			if e, ok := t.(xml.StartElement); ok && e.Name.Local == "source" {
				for _, a := range e.Attr {
					if a.Name.Local == "file" {
						used[a.Value] = true
					}
				}
			}
		}
	}
	return nil
}
