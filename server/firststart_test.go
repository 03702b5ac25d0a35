package server

import (
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"homelab/model"
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

// The first admin is named for the person, not for the service's user.
func TestFirstAdminIsNamedForThePerson(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		comments []string
		want     string
	}{
		{[]string{"ann@laptop"}, "ann"},
		{[]string{"yubikey", "Ann.B@laptop.lan", "bob@pi"}, "ann-b"},
		{[]string{"@laptop"}, label(me.Username)},
		{[]string{"my key", ""}, label(me.Username)},
	} {
		var keys []model.Key
		for _, comment := range c.comments {
			keys = append(keys, model.Key{Name: comment})
		}
		if got := adminName(keys); got != c.want {
			t.Errorf("%q: %q, not %q", c.comments, got, c.want)
		}
	}
}
