package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"homelab/agent/wire"
	"homelab/model"
)

// maxBinary bounds a program that is uploaded, in bytes.
const maxBinary = 256 << 20

// binaries keeps the programs that agents can become: the last that was given
// for each platform, in a file that its description names.
type binaries struct {
	dir string
	mu  sync.Mutex // held by add
}

func (b *binaries) description(platform string) string {
	return filepath.Join(b.dir, platform+".json")
}

func (b *binaries) file(a model.AgentBinary) string {
	return filepath.Join(b.dir, a.Platform+"."+a.SHA256[:12])
}

// add keeps a program that is read, instead of the one before.
func (b *binaries) add(r io.Reader) (model.AgentBinary, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return model.AgentBinary{}, err
	}
	temp, err := os.CreateTemp(b.dir, ".new-")
	if err != nil {
		return model.AgentBinary{}, err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(temp, sum), io.LimitReader(r, maxBinary+1))
	if err != nil {
		return model.AgentBinary{}, err
	}
	if n > maxBinary {
		return model.AgentBinary{}, fmt.Errorf("it is larger than %d MiB, which no program of homelab's is", maxBinary>>20)
	}
	what, err := wire.ReadBinary(temp, n)
	if err != nil {
		return model.AgentBinary{}, err
	}
	a := model.AgentBinary{Platform: what.Platform, Version: what.Version, SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: n, Added: time.Now().UTC()}
	if !strings.HasPrefix(a.Platform, "linux_") || a.Platform != filepath.Base(a.Platform) {
		return model.AgentBinary{}, fmt.Errorf("it is for %.40q, and agents run on Linux", a.Platform)
	}
	if err := errors.Join(temp.Sync(), os.Rename(temp.Name(), b.file(a))); err != nil {
		return model.AgentBinary{}, err
	}
	old, hadOld := b.get(a.Platform)
	text, _ := json.Marshal(a) // strings, a number and a time: cannot fail
	if err := renameio.WriteFile(b.description(a.Platform), text, 0o600); err != nil {
		return model.AgentBinary{}, err
	}
	if hadOld && old.SHA256 != a.SHA256 {
		_ = os.Remove(b.file(old)) // who reads it reads on
	}
	return a, nil
}

// get is the program for a platform.
func (b *binaries) get(platform string) (model.AgentBinary, bool) {
	var a model.AgentBinary
	if platform == "" || platform != filepath.Base(platform) {
		return a, false
	}
	text, err := os.ReadFile(b.description(platform))
	if err != nil || json.Unmarshal(text, &a) != nil || a.Platform != platform || len(a.SHA256) != 64 {
		return model.AgentBinary{}, false
	}
	return a, true
}

// list are all of them, by platform.
func (b *binaries) list() []model.AgentBinary {
	all := []model.AgentBinary{}
	files, _ := filepath.Glob(b.description("*"))
	for _, file := range files {
		if a, ok := b.get(strings.TrimSuffix(filepath.Base(file), ".json")); ok {
			all = append(all, a)
		}
	}
	return all
}
