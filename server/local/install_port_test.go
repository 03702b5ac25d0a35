package local

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestPortTaken has this test listen where the server would.
func TestPortTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	err = portTaken(ln.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "port "+port+" is taken by ") || !strings.Contains(err.Error(), "(process "+strconv.Itoa(os.Getpid())+")") {
		t.Error(err)
	}
}
