package agent

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"homelab/agent/wire"
)

func TestPoolXML(t *testing.T) {
	for want, p := range map[string]wire.Pool{
		`<pool type="dir"><name>a</name><target><path>/a</path></target></pool>`:                                                                                               {Name: "a", Path: "/a"},
		`<pool type="netfs"><name>b</name><source><host name="nas"></host><dir path="/vms"></dir><format type="nfs"></format></source><target><path>/b</path></target></pool>`: {Name: "b", Path: "/b", NFS: "nas:/vms"},
		`<pool type="dir"><name>c</name><target><path>/c</path></target></pool>`:                                                                                               {Name: "c", Path: "/c", TmpfsMiB: 16},
	} {
		text, err := xml.Marshal(poolXMLOf(p))
		if err != nil || string(text) != want {
			t.Errorf("%s, %v", text, err)
		}
		var x poolXML
		if err := xml.Unmarshal(text, &x); err != nil || x.export() != p.NFS {
			t.Errorf("%q is read as %q, %v", p.NFS, x.export(), err)
		}
	}
}

// A tmpfs grows where it is, hides nothing, and is mounted once.
func TestTmpfs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ram")
	if err := mountTmpfs(path, 16); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := unmount(path); err != nil {
			t.Error(err)
		}
	})
	kept := filepath.Join(path, "disk")
	if err := os.WriteFile(kept, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{16, 32, 8} { // it never shrinks
		if err := mountTmpfs(path, size); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(kept); string(b) != "data" {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if free, err := freeBytes(path); err != nil || free <= 16<<20 || free > 32<<20 {
		t.Errorf("%d bytes are free, %v", free, err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := mountTmpfs(full, 16); err == nil || !strings.Contains(err.Error(), "would hide") {
		t.Errorf("over files: %v", err)
	}
}
