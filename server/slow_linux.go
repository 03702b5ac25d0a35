package server

import (
	"net"

	"golang.org/x/sys/unix"
)

// mostUnsent is how much the kernel takes from us that it has not sent yet, in
// bytes.
const mostUnsent = 32 << 10

// keepShort has writes wait for a slow network instead of queueing for it:
// what a dashboard draws next is then the newest frame, not the oldest.
func keepShort(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { // an old kernel does without
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, mostUnsent)
		})
	}
}
