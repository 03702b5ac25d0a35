package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"
)

// terraformVersion is the one that is fetched where there is none; the
// project is tested with it.
const terraformVersion = "1.11.4"

// fetch fetches it; a variable for tests.
var fetch = fetchTerraform

// releaseHost is where it is fetched from.
const releaseHost = "releases.hashicorp.com"

// ready finds or fetches a binary if there was none yet.
func (t *terraform) ready(ctx context.Context, say func(string)) error {
	if t.bin != "" {
		return nil
	}
	bin, err := FindTerraform(ctx, string(t.f), say)
	if err != nil {
		return err
	}
	return t.use(ctx, bin)
}

// use takes a binary, which it asks what it is.
func (t *terraform) use(ctx context.Context, bin string) (err error) {
	t.bin = bin
	defer func() {
		if err != nil {
			t.bin = ""
		}
	}()
	tf, err := t.exec(string(t.f), nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	v, _, err := tf.Version(ctx, true)
	if err != nil {
		return fmt.Errorf("%s does not work: %w", bin, err)
	}
	name := "terraform " + v.String()
	if strings.Contains(filepath.Base(bin), "tofu") {
		name = "tofu " + v.String()
	}
	t.name.Store(&name)
	return nil
}

// terraformHere is the path of a terraform that is on this machine: terraform or
// tofu on PATH, else one fetched into folder before; empty if there is none.
func terraformHere(folder string) string {
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			if path, err = filepath.Abs(path); err == nil {
				return path
			}
		}
	}
	kept := filepath.Join(folder, "terraform")
	if info, err := os.Stat(kept); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		return kept
	}
	return ""
}

// FindTerraform returns the path of a terraform: one that is on this machine,
// else it fetches one into folder. Progress gets a line whenever there is
// something to say about that.
func FindTerraform(ctx context.Context, folder string, progress func(string)) (string, error) {
	if path := terraformHere(folder); path != "" {
		return path, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	progress(fmt.Sprintf("no terraform or tofu on PATH: fetching terraform %s from %s (about 30 MB)", terraformVersion, releaseHost))
	path, err := fetch(ctx, folder, progress)
	if err != nil {
		return "", fmt.Errorf("neither terraform nor tofu is on PATH, and terraform could not be fetched (%w): "+
			"install terraform 1.5 or later (https://developer.hashicorp.com/terraform/install) "+
			"or tofu (https://opentofu.org/docs/intro/install) on this machine", plainly(err))
	}
	progress("terraform is in " + path)
	return path, nil
}

// plainly is what kept a download from coming, without the addresses that every
// layer puts around it.
func plainly(err error) error {
	var op *net.OpError
	var at *url.Error
	switch {
	case errors.As(err, &op):
		return op
	case errors.As(err, &at):
		return at.Err
	}
	return err
}

func fetchTerraform(ctx context.Context, folder string, progress func(string)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := reachable(ctx); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(folder, ".fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	done := make(chan struct{})
	told := make(chan struct{})
	go func() {
		defer close(told)
		tellSize(temp, done, progress)
	}()
	install := &releases.ExactVersion{Product: product.Terraform, Version: version.Must(version.NewVersion(terraformVersion)), InstallDir: temp}
	path, err := install.Install(ctx)
	close(done)
	<-told
	if err != nil {
		return "", err
	}
	kept := filepath.Join(folder, "terraform")
	return kept, os.Rename(path, kept)
}

// reachable says at once that there is no network: the download would try for
// long. By way of a proxy the name need not be known here.
func reachable(ctx context.Context) error {
	site := &url.URL{Scheme: "https", Host: releaseHost}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: site}); err != nil || proxy != nil {
		return err
	}
	_, err := net.DefaultResolver.LookupHost(ctx, releaseHost)
	return err
}

// tellSize says every few seconds how much has arrived.
func tellSize(dir string, done <-chan struct{}, progress func(string)) {
	start := time.Now()
	t := time.NewTicker(3 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case <-t.C:
			var size int64
			_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					if info, err := d.Info(); err == nil {
						size += info.Size()
					}
				}
				return nil
			})
			if size == 0 {
				progress(fmt.Sprintf("no answer from %s after %.0f s", releaseHost, time.Since(start).Seconds()))
			} else {
				progress(fmt.Sprintf("still fetching terraform: %d MB on disk after %.0f s", size>>20, time.Since(start).Seconds()))
			}
		}
	}
}
