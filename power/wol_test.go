package power

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"homelab/model"
)

func TestMagicPacket(t *testing.T) {
	mac := net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	p := magic(mac, nil)
	if len(p) != 102 || !bytes.Equal(p[:6], []byte{255, 255, 255, 255, 255, 255}) || !bytes.Equal(p[6:12], mac) || !bytes.Equal(p[96:], mac) {
		t.Errorf("% x", p)
	}
	for text, want := range map[string]int{"": 102, "192.168.1.2": 106, "01:02:03:04:05:06": 108} {
		secret, err := secureOnBytes(text)
		if p := magic(mac, secret); err != nil || len(p) != want {
			t.Errorf("%q: %d bytes, %v", text, len(p), err)
		}
	}
}

func TestWOLOnlyWakes(t *testing.T) {
	s := mustNew(t, model.Outlet{Driver: model.DriverWOL, WOL: model.WOLOutlet{MAC: "52:54:00:12:34:56"}}, nil)
	wantError(t, s.Set(t.Context(), false), "never switch it off")
	if st, err := s.State(t.Context()); st != model.PowerUnknown || err != nil {
		t.Errorf("%v, %v", st, err)
	}
	for _, target := range everywhere() {
		if host, _, err := net.SplitHostPort(target); err != nil || strings.HasPrefix(host, "127.") {
			t.Errorf("it would wake at %s", target)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Set(ctx, true); err == nil {
		t.Error("a cancelled order was carried out")
	}
}

// TestWOLOnTheWire sends to the broadcast address of a network, and another
// machine of it, played by a network namespace, hears it.
func TestWOLOnTheWire(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for a network namespace")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs the program ip")
	}
	pid := os.Getpid() % 100000
	ns, here, there := fmt.Sprintf("hlwol%d", pid), fmt.Sprintf("hlwa%d", pid), fmt.Sprintf("hlwb%d", pid)
	subnet := fmt.Sprintf("10.%d.%d", 200+pid%50, pid/50%250)
	run := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := run("netns", "add", ns); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = run("link", "delete", here); _ = run("netns", "delete", ns) })
	for _, args := range [][]string{
		{"link", "add", here, "type", "veth", "peer", "name", there, "netns", ns},
		{"addr", "add", subnet + ".1/24", "broadcast", subnet + ".255", "dev", here},
		{"link", "set", here, "up"},
		{"-n", ns, "addr", "add", subnet + ".2/24", "broadcast", subnet + ".255", "dev", there},
		{"-n", ns, "link", "set", there, "up"},
	} {
		if err := run(args...); err != nil {
			t.Skip(err)
		}
	}
	heard := [2]net.PacketConn{listenIn(t, ns, 9), listenIn(t, ns, 7)}
	mac := "52:54:00:12:34:56"
	for name, broadcast := range map[string]string{"its broadcast address": subnet + ".255", "all networks": ""} {
		o := model.Outlet{Driver: model.DriverWOL, WOL: model.WOLOutlet{MAC: mac, Broadcast: broadcast}}
		s := mustNew(t, o, map[string]string{model.SecretPassword: "01:02:03:04:05:06"})
		if err := s.Set(t.Context(), true); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, conn := range heard {
			buf := make([]byte, 1500)
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				t.Fatalf("%s: nothing arrived: %v", name, err)
			}
			hw, _ := net.ParseMAC(mac)
			if want := magic(hw, []byte{1, 2, 3, 4, 5, 6}); !bytes.Equal(buf[:n], want) || !strings.HasPrefix(from.String(), subnet+".1:") {
				t.Errorf("%s: from %v came % x", name, from, buf[:n])
			}
		}
	}
}

// listenIn opens a socket in a network namespace; it stays there.
func listenIn(t *testing.T, ns string, port int) net.PacketConn {
	t.Helper()
	type result struct {
		conn net.PacketConn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		f, err := os.Open("/var/run/netns/" + ns)
		if err == nil {
			defer f.Close()
			err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			done <- result{err: err}
			return
		}
		conn, err := net.ListenPacket("udp4", fmt.Sprintf("0.0.0.0:%d", port))
		done <- result{conn, err}
	}()
	r := <-done
	if r.err != nil {
		t.Skip(r.err)
	}
	t.Cleanup(func() { r.conn.Close() })
	return r.conn
}
