package agent

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"

	"homelab/agent/wire"
)

// Limits of a config, far above what a server renders.
const (
	maxConfig      = 64 << 20 // bytes of the tar
	maxConfigFiles = 20_000
)

// digestError says that the server sent another config than the one ordered:
// it has moved on meanwhile.
type digestError struct{ got, want string }

func (e *digestError) Error() string {
	return fmt.Sprintf("the server sent config %s and not %s, which was ordered: it has changed meanwhile", short(e.got), short(e.want))
}

// short is how people see a digest.
func short(digest string) string { return digest[:min(12, len(digest))] }

// fetchConfig asks for this hypervisor's config and returns it if it is whole
// and the one with that digest.
func fetchConfig(ctx context.Context, client *ssh.Client, digest string) ([]byte, error) {
	sub, err := openSubsystem(client, wire.SubsystemTerraform)
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	stop := context.AfterFunc(ctx, func() { sub.Close() })
	defer stop()
	b, err := io.ReadAll(io.LimitReader(sub, maxConfig+1))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, sub.explain(err)
	}
	if len(b) > maxConfig {
		return nil, fmt.Errorf("the config is larger than %d MiB", maxConfig>>20)
	}
	if err := sub.result(); err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != digest {
		return nil, &digestError{hex.EncodeToString(sum[:]), digest}
	}
	return b, nil
}

// configs says which config lies in the folder of configs.
type configs struct {
	Current string `json:"current"` // fetched last
	Applied string `json:"applied"` // carried out in full last, if nothing was begun since
}

// unpackConfig puts a config into its folder, whole or not at all.
func unpackConfig(f folder, digest string, b []byte) error {
	dest := f.path(configFolder, digest)
	if err := os.MkdirAll(f.path(configFolder), 0o700); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(f.path(configFolder), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := untar(temp, b); err != nil {
		return fmt.Errorf("the config cannot be unpacked: %w", err)
	}
	if _, err := readManifest(temp); err != nil {
		return err
	}
	if err := os.RemoveAll(dest); err != nil {
		return err
	}
	return os.Rename(temp, dest)
}

// untar unpacks regular files only, none of which can land outside of dir.
func untar(dir string, b []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	r := tar.NewReader(bytes.NewReader(b))
	for n := 0; ; n++ {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return errors.New("it is empty")
			}
			return nil
		}
		if err != nil {
			return err
		}
		if n >= maxConfigFiles {
			return fmt.Errorf("it has more than %d files", maxConfigFiles)
		}
		if err := untarFile(root, h, r); err != nil {
			return fmt.Errorf("%q: %w", h.Name, err)
		}
	}
}

func untarFile(root *os.Root, h *tar.Header, r io.Reader) error {
	name := filepath.Clean(h.Name)
	if h.Typeflag == tar.TypeDir {
		return root.MkdirAll(name, 0o700)
	}
	if h.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
		return errors.New("not a plain file inside of the config")
	}
	if h.Size > maxConfig {
		return errors.New("too large")
	}
	if d := filepath.Dir(name); d != "." {
		if err := root.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Close())
}

func readManifest(dir string) (wire.Manifest, error) {
	var m wire.Manifest
	b, err := os.ReadFile(filepath.Join(dir, wire.ManifestFile))
	if errors.Is(err, os.ErrNotExist) {
		return m, fmt.Errorf("the config has no %s", wire.ManifestFile)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("the config's %s cannot be read: %w", wire.ManifestFile, err)
	}
	if m.Version > wire.Version+1 {
		return m, fmt.Errorf("the config is of version %d, and this agent knows %d: update the agent", m.Version, wire.Version)
	}
	return m, nil
}

// pruneConfigs removes all configs but the named ones.
func pruneConfigs(f folder, keep ...string) error {
	entries, err := os.ReadDir(f.path(configFolder))
	if err != nil {
		return err
	}
	var errs []error
entries:
	for _, e := range entries {
		for _, k := range keep {
			if e.Name() == k {
				continue entries
			}
		}
		errs = append(errs, os.RemoveAll(f.path(configFolder, e.Name())))
	}
	return errors.Join(errs...)
}

// config returns the folder of the config with that digest, fetching it if
// this process did not yet: what an earlier one left may not be whole.
func (a *agent) config(ctx context.Context, digest string) (string, wire.Manifest, error) {
	if len(digest) != 64 {
		return "", wire.Manifest{}, fmt.Errorf("the server ordered a run of a config without a digest (%q)", digest)
	}
	dir := a.f.path(configFolder, digest)
	if a.fetched != digest {
		b, err := a.fetch(ctx, digest)
		if err != nil {
			return "", wire.Manifest{}, err
		}
		if err := unpackConfig(a.f, digest, b); err != nil {
			return "", wire.Manifest{}, err
		}
		a.fetched = digest
	}
	m, err := readManifest(dir)
	if err != nil {
		return "", m, err
	}
	return dir, m, a.learn(digest, m)
}

// learn makes a config the one that the agent goes by.
func (a *agent) learn(digest string, m wire.Manifest) error {
	st, err := a.tf.State()
	if err != nil {
		return err
	}
	if err := a.names.Learn(m, st.vms()); err != nil {
		return err
	}
	var c configs
	if err := a.f.load(configFile, &c); err != nil {
		return err
	}
	if c.Current != digest {
		c.Current = digest
		if err := a.f.save(configFile, c); err != nil {
			return err
		}
	}
	a.manifest.Store(&m)
	return pruneConfigs(a.f, digest)
}

// fetch fetches a config, over as many connections as it takes.
func (a *agent) fetch(ctx context.Context, digest string) ([]byte, error) {
	for try := 0; ; {
		client, err := a.link.Client(ctx)
		if err != nil {
			return nil, err
		}
		b, err := fetchConfig(ctx, client, digest)
		if err == nil {
			return b, nil
		}
		// A newer order may be on its way, or the connection be gone.
		if pause(ctx, 500*time.Millisecond) != nil {
			return nil, context.Cause(ctx)
		}
		if now, err := a.link.Client(ctx); err != nil || now != client {
			continue
		}
		if try++; try == 3 {
			return nil, fmt.Errorf("the config could not be fetched: %w", err)
		}
	}
}
