package server

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A first start that nobody could connect to leaves nothing behind.
func TestAFirstStartWithoutKeysLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	empty, data := filepath.Join(dir, "keys"), filepath.Join(dir, "data")
	if err := os.WriteFile(empty, []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = New(Options{Data: data, Listener: ln, AuthorizedKeys: []string{empty}})
	if err == nil || !strings.Contains(err.Error(), "nobody could connect") {
		t.Fatal(err)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("there is something: %v", err)
	}
}

func TestAHostKeyThatOthersCanReadIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), hostKeyFile)
	if _, err := hostKey(path); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	if err := closeKey(path, log); err != nil || said.Len() > 0 {
		t.Errorf("%v, %s", err, said.String())
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := closeKey(path, log); err != nil || !strings.Contains(said.String(), "others could read the host key") {
		t.Errorf("%v, %s", err, said.String())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
