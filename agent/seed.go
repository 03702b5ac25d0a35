package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/google/renameio/v2"
	"github.com/kdomanski/iso9660"

	"homelab/agent/wire"
)

// makeSeeds makes the NoCloud ISOs of a config that are not there yet. They
// are named by the hash of their contents.
func makeSeeds(f folder, m wire.Manifest) error {
	if err := os.MkdirAll(f.path(seedFolder), 0o755); err != nil {
		return err
	}
	for _, vm := range m.VMs {
		seed, ok := m.SeedOf(vm)
		if !ok {
			continue
		}
		if !isFileName(vm.SeedISO) {
			return fmt.Errorf("the seed of %s has a bad file name %q", vm.Name, vm.SeedISO)
		}
		dest := f.path(seedFolder, vm.SeedISO)
		if info, err := os.Stat(dest); err == nil && info.Size() > 0 {
			continue
		}
		iso, err := seedISO(seed)
		if err != nil {
			return fmt.Errorf("the seed of %s: %w", vm.Name, err)
		}
		if err := renameio.WriteFile(dest, iso, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// makeSeedsOnly removes the ISOs that a config does not have.
func makeSeedsOnly(f folder, m wire.Manifest) error {
	wanted := map[string]bool{}
	for _, vm := range m.VMs {
		wanted[vm.SeedISO] = true
	}
	entries, err := os.ReadDir(f.path(seedFolder))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !wanted[e.Name()] {
			errs = append(errs, os.Remove(f.path(seedFolder, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// seedISO is a NoCloud seed as an ISO 9660 image, the same bytes for the same
// seed. Its file names are within what Linux reads without extensions.
func seedISO(seed wire.Seed) ([]byte, error) {
	w, err := iso9660.NewWriter()
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Cleanup() }()
	files := map[string]string{"user-data": seed.UserData, "meta-data": seed.MetaData, "network-config": seed.NetworkConfig}
	for name, text := range files {
		if text == "" {
			continue
		}
		if err := w.AddFile(bytes.NewReader([]byte(text)), name); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	if err := w.WriteTo(&b, "cidata"); err != nil {
		return nil, err
	}
	return undated(b.Bytes())
}

// undated takes the time of its making out of an image: creation,
// modification, expiration and effective date of the volume (ECMA-119 8.4).
func undated(iso []byte) ([]byte, error) {
	const sector, first, size, count = 2048, 813, 17, 4
	if len(iso) < 17*sector || string(iso[16*sector+1:16*sector+6]) != "CD001" {
		return nil, errors.New("the ISO image has no volume descriptor")
	}
	for i := range count {
		date := iso[16*sector+first+i*size:][:size]
		copy(date, "0000000000000000")
		date[size-1] = 0
	}
	return iso, nil
}
