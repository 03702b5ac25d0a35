package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Accelerations that the probe finds.
const (
	accelKVM = "kvm"
	accelTCG = "tcg"
)

// probeTime is how long the probe's boot sector may take; with KVM it takes
// less than a second.
const probeTime = 10 * time.Second

// accelMark is what the probe found, in which boot of the machine.
type accelMark struct {
	Boot  string `json:"boot"`
	Accel string `json:"accel"`
}

// openAccel recalls what the probe found in this boot.
func (a *agent) openAccel() {
	var mark accelMark
	if err := a.f.load(accelFile, &mark); err == nil && mark.Accel != "" && mark.Boot == bootID() && mark.Boot != "" {
		a.accel.Store(&mark.Accel)
		a.probed = mark.Accel
	}
}

// probe finds out whether KVM boots guests here, once per boot of the machine.
// That /dev/kvm exists proves nothing: a nested one may start guests that
// never run.
func (a *agent) probe(ctx context.Context, say func(string, ...any)) (string, error) {
	if a.probed != "" {
		return a.probed, nil
	}
	mark := accelMark{bootID(), accelKVM}
	if err := probeKVM(ctx); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		mark.Accel = accelTCG
		say("guests are emulated (tcg), which is slow: %v", err)
	} else {
		say("guests use KVM")
	}
	a.probed = mark.Accel
	return mark.Accel, a.f.save(accelFile, mark)
}

// bootSector enters protected mode, comes back from an interrupt there, and
// writes 16 to the port of qemu's debug exit device, which makes qemu exit with
// status 2×16+1. A nested KVM may carry out what is simple and then end at the
// return from an interrupt, which every boot loader needs. It lies at 0x7c00.
var bootSector = []byte{
	0xfa,       // cli
	0x31, 0xc0, // xor ax, ax
	0x8e, 0xd8, // mov ds, ax
	0x0f, 0x01, 0x16, 0x58, 0x7c, // lgdt [gdtr]
	0x0f, 0x01, 0x1e, 0x5e, 0x7c, // lidt [idtr]
	0x0f, 0x20, 0xc0, // mov eax, cr0
	0x0c, 0x01, // or al, 1
	0x0f, 0x22, 0xc0, // mov cr0, eax
	0xea, 0x1c, 0x7c, 0x08, 0x00, // jmp 8:0x7c1c
	0x66, 0xb8, 0x10, 0x00, // 0x7c1c, 32 bits from here on: mov ax, 16
	0x8e, 0xd8, // mov ds, ax
	0x8e, 0xd0, // mov ss, ax
	0xbc, 0x00, 0x70, 0x00, 0x00, // mov esp, 0x7000
	0xcd, 0x00, // int 0
	0xb0, 0x10, // mov al, 16
	0xe6, 0xf4, // out 0xf4, al
	0xf4,       // hlt
	0xeb, 0xfe, // jmp here
	0x60, 0x61, 0xcf, // 0x7c32, the handler: pusha; popa; iret
	0x8d, 0x76, 0x00, // to align what follows
	0, 0, 0, 0, 0, 0, 0, 0, // 0x7c38, the segments: none,
	0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xcf, 0x00, // code, all of 4 GiB,
	0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00, // and data
	0x32, 0x7c, 0x08, 0x00, 0x00, 0x8e, 0x00, 0x00, // 0x7c50, interrupt 0: at 8:0x7c32
	0x17, 0x00, 0x38, 0x7c, 0x00, 0x00, // gdtr
	0x07, 0x00, 0x50, 0x7c, 0x00, 0x00, // idtr
}

const bootSectorStatus = 33

// probeKVM boots something by KVM. Its error says why that does not work.
func probeKVM(ctx context.Context) error {
	if _, err := os.Stat("/dev/kvm"); err != nil {
		return errors.New("there is no /dev/kvm: is virtualisation on in the firmware?")
	}
	return bootProbe(ctx, "kvm", "host", probeTime)
}

func bootProbe(ctx context.Context, accel, cpu string, limit time.Duration) error {
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("KVM cannot be tried out on %s: set the hypervisor's accel to kvm if it works", runtime.GOARCH)
	}
	qemu, err := findQEMU()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "homelab-probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	disk := make([]byte, 64<<10)
	copy(disk, bootSector)
	disk[510], disk[511] = 0x55, 0xaa
	image := filepath.Join(dir, "boot.img")
	if err := os.WriteFile(image, disk, 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, qemu, "-nodefaults", "-no-user-config", "-machine", "pc,accel="+accel, "-cpu", cpu, "-m", "16",
		"-display", "none", "-no-reboot", "-boot", "c", "-drive", "format=raw,if=ide,file="+image,
		"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04")
	cmd.WaitDelay = time.Second
	var stderr tail
	cmd.Stderr = &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("KVM starts a guest that did not get through the instructions of a boot loader in %s", limit)
	case errors.As(err, &exit) && exit.ExitCode() == bootSectorStatus:
		return nil
	case err == nil:
		return errors.New("KVM's guest ended without having run")
	}
	why, _, _ := strings.Cut(stderr.String(), "\n")
	return fmt.Errorf("KVM does not start a guest: %w: %s", err, why)
}

func findQEMU() (string, error) {
	for _, name := range []string{"qemu-system-x86_64", "/usr/libexec/qemu-kvm", "qemu-kvm", "kvm"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no qemu-system-x86_64 on the hypervisor: install it")
}
