package power

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bougou/go-ipmi/pkg/bmc"
	"github.com/bougou/go-ipmi/pkg/hal"
	"github.com/bougou/go-ipmi/pkg/hal/mock"
	"github.com/bougou/go-ipmi/pkg/server"

	"homelab/model"
)

func ipmiAt(t *testing.T, address, password string) Switch {
	t.Helper()
	return mustNew(t, model.Outlet{Driver: model.DriverIPMI, IPMI: model.IPMIOutlet{Address: address, User: "admin"}},
		map[string]string{model.SecretPassword: password})
}

// machine is the module's, with what a test looks at while it is used.
type machine struct {
	*mock.HAL
	mockChassis
}

func (m *machine) Chassis() hal.ChassisHAL { return &m.mockChassis }

type mockChassis struct {
	mock.Chassis
	cycles atomic.Int32
	stuck  atomic.Bool
}

func (c *mockChassis) SetPower(ctx context.Context, on bool) error {
	if c.stuck.Load() {
		return errors.New("stuck")
	}
	return c.Chassis.SetPower(ctx, on)
}

func (c *mockChassis) PowerCycle(context.Context) error {
	c.cycles.Add(1)
	return nil
}

func newMachine() *machine { return &machine{HAL: mock.New()} }

// mockBMC is the module's own controller.
func mockBMC(t *testing.T, m hal.HAL) string {
	t.Helper()
	b := bmc.New(bmc.DeviceInfo{}, [16]byte{1}, m)
	if _, err := b.Users.Add(2, "admin"); err != nil {
		t.Fatal(err)
	}
	if err := b.Users.Update(2, func(u *bmc.User) error {
		u.SetPassword([]byte("hunter2"))
		u.Enabled = true
		u.ChannelAccess[1] = bmc.UserChannelAccess{MaxPrivilege: bmc.PrivilegeLevelAdministrator, Enabled: true}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := server.NewServer(b, conn)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ctx) }()
	t.Cleanup(func() { cancel(); _ = s.Close(); <-done })
	return conn.LocalAddr().String()
}

func TestIPMI(t *testing.T) {
	m := newMachine()
	at := mockBMC(t, m)
	s := ipmiAt(t, at, "hunter2")
	onAndOff(t, s, func() bool { on, _ := m.mockChassis.PowerState(t.Context()); return on })
	if err := s.(Cycler).Cycle(t.Context()); err != nil || m.cycles.Load() != 0 {
		t.Errorf("a machine that is off is switched on: %v, %d cycles", err, m.cycles.Load())
	}
	if st, err := s.State(t.Context()); st != model.PowerOn || err != nil {
		t.Errorf("%v, %v", st, err)
	}
	if err := s.(Cycler).Cycle(t.Context()); err != nil || m.cycles.Load() != 1 {
		t.Errorf("cycle: %v, %d cycles", err, m.cycles.Load())
	}
	wantReading(t, s, nil, nil) // it knows no DCMI
}

func TestIPMIRefusals(t *testing.T) {
	m := newMachine()
	at := mockBMC(t, m)
	wantError(t, ipmiAt(t, at, "guess").Set(t.Context(), true), "refuses user or password")
	stranger := mustNew(t, model.Outlet{Driver: model.DriverIPMI, IPMI: model.IPMIOutlet{Address: at, User: "nobody"}}, password)
	wantError(t, stranger.Set(t.Context(), true), "refuses user or password")
	if on, _ := m.mockChassis.PowerState(t.Context()); on {
		t.Error("a stranger switched it on")
	}
	m.stuck.Store(true)
	if err := ipmiAt(t, at, "hunter2").Set(t.Context(), true); err == nil {
		t.Error("a controller that failed is taken as done")
	}
	_, err := New(model.Outlet{Driver: model.DriverIPMI, IPMI: model.IPMIOutlet{Address: at, User: "admin"}},
		Options{Secret: func(string) string { return strings.Repeat("x", 21) }})
	wantError(t, err, "longer than 20 bytes")
	gone, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	_, err = ipmiAt(t, gone.LocalAddr().String(), "hunter2").State(t.Context())
	wantError(t, err, "refused the connection")
}

// TestIPMIWithARealSimulator talks to OpenIPMI's, which shares no code with our
// module.
func TestIPMIWithARealSimulator(t *testing.T) {
	sim, err := exec.LookPath("ipmi_sim")
	if err != nil {
		t.Skip("needs ipmi_sim, of Debian's package openipmi")
	}
	dir := t.TempDir()
	port := freePort(t)
	power := filepath.Join(dir, "power")
	write := func(name, text string, mode os.FileMode) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	write("power", "0\n", 0o600)
	chassis := write("chassis", fmt.Sprintf(`#!/bin/sh
shift
case "$1 $2" in
"get power") echo "power:$(cat %[1]s)" ;;
"set power") echo "$3" > %[1]s ;;
esac
`, power), 0o700)
	config := write("lan.conf", fmt.Sprintf(`name "sim"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 %d
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "%s 0x20"
  user 2 true "admin" "hunter2" admin 10 none md2 md5 straight
`, port, chassis), 0o600)
	commands := write("sim.emu", "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n", 0o600)
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sim, "-n", "-c", config, "-f", commands, "-s", state)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })

	s := ipmiAt(t, fmt.Sprintf("127.0.0.1:%d", port), "hunter2")
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err := s.State(t.Context())
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the simulator does not answer: %v", err)
		}
	}
	onAndOff(t, s, func() bool {
		data, _ := os.ReadFile(power)
		return strings.TrimSpace(string(data)) == "1"
	})
	wantReading(t, s, nil, nil)
	wantError(t, ipmiAt(t, fmt.Sprintf("127.0.0.1:%d", port), "guess").Set(t.Context(), true), "refuses user or password")
}

func freePort(t *testing.T) int {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port
}
