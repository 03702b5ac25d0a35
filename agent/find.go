package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"
)

// terraformVersion is the one that is fetched where there is none; the
// project is tested with it.
const terraformVersion = "1.11.4"

// FindTerraform returns the path of a terraform: terraform or tofu on PATH,
// else one fetched into folder before, else it fetches one there. Progress
// gets a line whenever there is something to say about that.
func FindTerraform(ctx context.Context, folder string, progress func(string)) (string, error) {
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	kept := filepath.Join(folder, "terraform")
	if info, err := os.Stat(kept); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		return kept, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	progress(fmt.Sprintf("no terraform or tofu on PATH: fetching terraform %s from releases.hashicorp.com (about 30 MB)", terraformVersion))
	path, err := fetchTerraform(ctx, folder, progress)
	if err != nil {
		return "", fmt.Errorf("neither terraform nor tofu is on PATH, and fetching terraform failed (%w): install terraform 1.5 or later (https://developer.hashicorp.com/terraform/install) or tofu (https://opentofu.org/docs/intro/install), and start again", err)
	}
	progress("terraform is in " + path)
	return path, nil
}

func fetchTerraform(ctx context.Context, folder string, progress func(string)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
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
			progress(fmt.Sprintf("still fetching terraform: %d MB on disk after %.0f s", size>>20, time.Since(start).Seconds()))
		}
	}
}
