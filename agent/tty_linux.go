package agent

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openTTY opens a terminal raw, and never as this process's own: its hangup
// would end the agent.
func openTTY(path string) (*os.File, error) {
	tty, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("the console: %w", err)
	}
	conn, err := tty.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { _ = makeRaw(int(fd)) }) // QEMU has made it raw; somebody may have changed that
	}
	if err != nil {
		tty.Close()
		return nil, err
	}
	return tty, nil
}

func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
