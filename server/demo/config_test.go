package demo

import (
	"crypto/ed25519"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// ssh finds the server and knows its key, so that it asks nothing.
func TestConfigAsksNothing(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ssh")
	addr := &net.TCPAddr{IP: net.IPv4zero, Port: 2223}
	if err := writeConfig(file, "/tmp/50% of it/key", addr, key); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HostName 127.0.0.1\n", "Port 2223\n", `IdentityFile "/tmp/50%% of it/key"` + "\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	check, err := knownhosts.New(file + "_known_hosts")
	if err != nil {
		t.Fatal(err)
	}
	if err := check("127.0.0.1:2223", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2223}, key); err != nil {
		t.Error(err)
	}
	if got := quoted("/tmp/it's"); got != `'/tmp/it'\''s'` {
		t.Error(got)
	}
}
