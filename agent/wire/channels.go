package wire

import "golang.org/x/crypto/ssh"

// ChannelConsole is the type of the SSH channel that the server opens on an
// agent's connection to be attached to a guest's serial console: raw bytes both
// ways. The agent refuses it with the reason; when the console ends it writes
// the reason on the channel's standard error and closes it.
const ChannelConsole = "console@homelab"

// ConsoleOpen is what the server says as it opens one.
type ConsoleOpen struct {
	VM string // ID
}

// Payload is what an open request carries.
func (o ConsoleOpen) Payload() []byte { return ssh.Marshal(o) }
