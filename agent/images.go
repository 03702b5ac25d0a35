package agent

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
	"homelab/model"
)

// images puts the images of a config into the default pool, where root volumes
// find them by name. One that is there is never written again: disks lie on
// it. An image that cannot be had breaks only the VMs that need it, but the
// run does not succeed; one whose path has no file may not be needed any more.
func (v *virt) images(ctx context.Context, j *job, m wire.Manifest) error {
	dir := defaultDir(m)
	if dir == "" && len(m.Images) > 0 {
		return fmt.Errorf("the config has images and no pool %q to put them in", defaultPool)
	}
	made := false
	for _, img := range m.Images {
		if !isFileName(img.Volume) {
			return fmt.Errorf("image %q: %q is not a file name", img.Name, img.Volume)
		}
		if err := v.files.Add(img.Volume, img.Name); err != nil {
			return err
		}
		dest := filepath.Join(dir, img.Volume)
		if _, err := os.Stat(dest); err == nil {
			continue
		}
		err := (&fetcher{img: img, dest: dest, j: j}).put(ctx)
		var missing *missingError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &missing):
			j.warn("image %q: %v", img.Name, err)
		case err != nil:
			j.flaw(fmt.Errorf("image %q: %w", img.Name, err))
		default:
			made = true
		}
	}
	if !made {
		return nil
	}
	return v.refresh(ctx, defaultPool)
}

// refresh makes libvirt see the files of a pool.
func (v *virt) refresh(ctx context.Context, pool string) error {
	return v.do(ctx, func(l *libvirt.Libvirt) error {
		p, err := l.StoragePoolLookupByName(pool)
		if err != nil {
			return err
		}
		return l.StoragePoolRefresh(p, 0)
	})
}

// defaultDir is where the default pool of a config lies.
func defaultDir(m wire.Manifest) string {
	for _, p := range m.Pools {
		if p.Name == defaultPool {
			return p.Path
		}
	}
	return ""
}

// isFileName tells whether s names a file and no path.
func isFileName(s string) bool { return filepath.IsLocal(s) && filepath.Base(s) == s && s != "." }

// missingError says that there is no file at an image's path.
type missingError struct{ path string }

func (e *missingError) Error() string {
	return fmt.Sprintf("there is no %s on the hypervisor: put the file there, or change the image's path", e.path)
}

// finalError is one that trying again does not mend.
type finalError struct{ error }

// reporter is a run, as far as it is told what is done.
type reporter interface {
	teller
	record(model.Record)
}

// fetcher brings one image into the pool.
type fetcher struct {
	img  wire.Image
	dest string
	j    reporter

	start  time.Time
	told   time.Time // that it was last told how far it is
	resume bool      // part of the file came with an earlier request
}

// put brings the image to dest, whole or not at all. What came of a file that
// is fetched is kept until it goes on, unless it turns out to be wrong.
func (f *fetcher) put(ctx context.Context) error {
	f.start = time.Now()
	err := f.get(ctx)
	switch {
	case err == nil:
		f.progress(model.ResourceDone, 0, 0)
	case ctx.Err() == nil:
		f.progress(model.ResourceFailed, 0, 0)
	}
	return err
}

func (f *fetcher) get(ctx context.Context) error {
	p := partialOf(f.dest)
	if strings.HasPrefix(f.img.URL, "http") {
		return f.download(ctx, p)
	}
	defer p.Remove()
	path := f.img.Path
	if f.img.URL != "" {
		u, err := url.Parse(f.img.URL)
		if err != nil {
			return err
		}
		path = u.Path
	}
	if err := f.copyFrom(ctx, p, path); err != nil {
		return err
	}
	if err := p.Verify(ctx, f.img.Checksum, path); err != nil {
		return err
	}
	return p.Install(f.dest)
}

// tellEvery is how often it is told how far a transfer is.
const tellEvery = 2 * time.Second

// tell tells how far the transfer is, now and then.
func (f *fetcher) tell(done, total int64) {
	if time.Since(f.told) < tellEvery {
		return
	}
	f.told = time.Now()
	f.progress(model.ResourceRunning, done, total)
}

// progress records how far the image is: as a step of the run, and in words.
func (f *fetcher) progress(status model.ResourceStatus, done, total int64) {
	r := model.Record{Level: model.LevelInfo, Resource: &model.Resource{
		Address: "image." + f.img.Volume, Label: "image " + f.img.Name, Action: model.ActionFetch, Status: status,
		Seconds: time.Since(f.start).Seconds(), DoneBytes: done, TotalBytes: total,
	}}
	switch {
	case status != model.ResourceRunning:
	case total > 0:
		r.Message = fmt.Sprintf("image %q: %d %%, %s of %s", f.img.Name, done*100/total, mib(done), mib(total))
	default:
		r.Message = fmt.Sprintf("image %q: %s", f.img.Name, mib(done))
	}
	f.j.record(r)
}

// mib writes a number of bytes.
func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
