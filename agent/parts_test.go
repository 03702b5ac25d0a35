package agent

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kdomanski/iso9660"

	"homelab/agent/wire"
)

func TestSeedISO(t *testing.T) {
	seed := wire.Seed{UserData: "#cloud-config\n" + strings.Repeat("é", 3000), MetaData: "instance-id: x-1\n", NetworkConfig: "version: 2\n"}
	iso, err := seedISO(seed)
	if err != nil {
		t.Fatal(err)
	}
	again, err := seedISO(seed)
	if err != nil || !bytes.Equal(iso, again) {
		t.Errorf("the same seed makes other bytes: %v", err)
	}
	img, err := iso9660.OpenImage(bytes.NewReader(iso))
	if err != nil {
		t.Fatal(err)
	}
	if label, err := img.Label(); err != nil || strings.TrimSpace(label) != "cidata" {
		t.Errorf("label %q: %v", label, err)
	}
	root, err := img.RootDir()
	if err != nil {
		t.Fatal(err)
	}
	files, err := root.GetChildren()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range files {
		b, err := io.ReadAll(f.Reader())
		if err != nil {
			t.Fatal(err)
		}
		got[strings.TrimSuffix(f.Name(), ";1")] = string(b)
	}
	if got["user-data"] != seed.UserData || got["meta-data"] != seed.MetaData || got["network-config"] != seed.NetworkConfig {
		t.Errorf("%.300v", got)
	}
	mountSeed(t, iso, seed)
}

// mountSeed shows that Linux reads the same, where we may mount.
func mountSeed(t *testing.T, iso []byte, seed wire.Seed) {
	t.Helper()
	dir := t.TempDir()
	file, point := filepath.Join(dir, "seed.iso"), filepath.Join(dir, "mnt")
	if err := os.WriteFile(file, iso, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(point, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "iso9660", "-o", "ro,loop", file, point).CombinedOutput(); err != nil {
		t.Logf("not mounted: %v %s", err, out)
		return
	}
	defer func() { _ = exec.Command("umount", point).Run() }()
	for name, want := range map[string]string{"user-data": seed.UserData, "meta-data": seed.MetaData, "network-config": seed.NetworkConfig} {
		if b, err := os.ReadFile(filepath.Join(point, name)); err != nil || string(b) != want {
			t.Errorf("mounted %s: %d bytes, %v", name, len(b), err)
		}
	}
}

func TestUntarStaysInside(t *testing.T) {
	for name, h := range map[string]tar.Header{
		"parent":   {Name: "../evil", Typeflag: tar.TypeReg},
		"absolute": {Name: "/tmp/evil", Typeflag: tar.TypeReg},
		"link":     {Name: "x", Linkname: "/etc", Typeflag: tar.TypeSymlink},
		"device":   {Name: "x", Typeflag: tar.TypeChar},
		"dot":      {Name: "a/../../evil", Typeflag: tar.TypeReg},
		"folder":   {Name: "../evil", Typeflag: tar.TypeDir},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Close()
		dir := t.TempDir()
		if err := untar(filepath.Join(mkdir(t, dir, "in")), b.Bytes()); err == nil {
			t.Errorf("%s was unpacked", name)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%s got out: %v", name, entries)
		}
	}
	if err := untar(t.TempDir(), nil); err == nil {
		t.Error("nothing was unpacked as a config")
	}
}

func mkdir(t *testing.T, names ...string) string {
	t.Helper()
	dir := filepath.Join(names...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestUnpackReplacesWhole(t *testing.T) {
	f := folder(t.TempDir())
	good := tarOf(t, wire.Manifest{Version: 1}, map[string]string{"main.tf": "x"})
	if err := unpackConfig(f, "d1", good); err != nil {
		t.Fatal(err)
	}
	if err := unpackConfig(f, "d1", good[:300]); err == nil {
		t.Error("a torn tar was unpacked")
	}
	if b, err := os.ReadFile(f.path(configFolder, "d1", "main.tf")); err != nil || string(b) != "x" {
		t.Errorf("what was there is not: %q %v", b, err)
	}
	if err := unpackConfig(f, "d2", tarOf(t, wire.Manifest{Version: 9}, nil)); err == nil || !strings.Contains(err.Error(), "update the agent") {
		t.Errorf("a config of a later version: %v", err)
	}
	if entries, _ := os.ReadDir(f.path(configFolder)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// The probe's boot sector runs: shown by emulation, which works everywhere.
func TestBootSector(t *testing.T) {
	if _, err := findQEMU(); err != nil {
		t.Skip(err)
	}
	if err := bootProbe(t.Context(), "tcg", "qemu64", patience); err != nil {
		t.Error(err)
	}
}

// script makes a program that stands in for terraform.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "terraform")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// Whoever terraform started goes with it: a provider outlives a killed one.
func TestProcessGroupEnds(t *testing.T) {
	f := folder(t.TempDir())
	p, err := startProcess(f, string(f), os.Environ(), script(t, "sleep 1000 >/dev/null 2>&1 &\necho $!\nwait\n"))
	if err != nil {
		t.Fatal(err)
	}
	pid := make(chan string, 1)
	done := make(chan error, 1)
	go func() { done <- p.Wait(func(b []byte) { pid <- string(b) }) }()
	child := <-pid
	p.Kill()
	if err := <-done; err == nil {
		t.Error("a killed process ended well")
	}
	gone(t, child)
	if _, err := os.Stat(f.path(processFile)); err == nil {
		t.Error("the mark was left behind")
	}
}

func gone(t *testing.T, pid string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		b, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(b), ") Z ") {
			return
		}
		if pause(ctx, 10*time.Millisecond) != nil {
			t.Fatalf("process %s lives on", pid)
		}
	}
}

func TestHungCommandIsKilled(t *testing.T) {
	f := folder(t.TempDir())
	p, err := startProcess(f, string(f), os.Environ(), script(t, "trap '' INT TERM\necho progress\nwhile :; do echo time; sleep 0.01; done\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := &command{process: p, quiet: 200 * time.Millisecond}
	if err := c.Wait(func(b []byte) bool { return string(b) == "progress" }); err != errHung {
		t.Errorf("error %v", err)
	}
}

// A terraform that a killed agent left behind gets time to end, then it and
// its group are killed.
func TestLeftoverIsEnded(t *testing.T) {
	f := folder(t.TempDir())
	p, err := startProcess(f, string(f), os.Environ(), script(t, "trap '' INT\nsleep 1000 >/dev/null 2>&1 &\necho $!\nwait\nwhile :; do sleep 1; done\n"))
	if err != nil {
		t.Fatal(err)
	}
	pid := make(chan string, 1)
	done := make(chan error, 1)
	go func() { done <- p.Wait(func(b []byte) { pid <- string(b) }) }()
	child := <-pid
	note, err := endLeftover(t.Context(), f, 100*time.Millisecond)
	if err != nil || !strings.Contains(note, "killed") {
		t.Errorf("%q %v", note, err)
	}
	<-done
	gone(t, child)
	if note, err := endLeftover(t.Context(), f, time.Second); note != "" || err != nil {
		t.Errorf("%q %v", note, err)
	}
	// A mark of another process with that number means nothing.
	if err := f.save(processFile, processMark{os.Getpid(), "other"}); err != nil {
		t.Fatal(err)
	}
	if note, err := endLeftover(t.Context(), f, time.Second); note != "" || err != nil {
		t.Errorf("%q %v", note, err)
	}
}

func TestBackupsAreBounded(t *testing.T) {
	f := folder(t.TempDir())
	tf := &terraform{f: f}
	now := time.Now()
	for i := range 15 {
		if err := os.WriteFile(f.path(stateFile), []byte{byte('a' + i)}, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := tf.Backup(now.Add(time.Duration(i) * time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(f.path(backupFolder))
	if err != nil || len(entries) != keptBackups {
		t.Fatalf("%d backups: %v", len(entries), err)
	}
	if b, _ := os.ReadFile(f.path(backupFolder, entries[9].Name())); string(b) != "o" {
		t.Errorf("the newest is %q", b)
	}
}

func TestHCLString(t *testing.T) {
	if got, want := hclString(`/a b/${x}/%{y}"`), `"/a b/$${x}/%%{y}\""`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
