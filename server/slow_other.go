//go:build !linux

package server

import "net"

// keepShort does nothing: only Linux is known to take it.
func keepShort(net.Conn) {}
