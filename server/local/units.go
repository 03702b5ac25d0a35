package local

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
)

// What an installation consists of, as paths of the machine.
const (
	installedBinary = "/usr/local/bin/homelab"
	unitFolder      = "/etc/systemd/system"
	sysusersFile    = "/etc/sysusers.d/homelab.conf"
	adminKeysFile   = "/etc/homelab/authorized_keys"
	serverData      = "/var/lib/homelab/server"
	agentData       = "/var/lib/homelab/agent"
	serverUnit      = "homelab-server.service"
	agentUnit       = "homelab-agent.service"
)

// sysusers is the server's own user. Its home is its data, so that it may have
// an ~/.ssh of its own with which it reaches Salt masters.
const sysusers = `u homelab - "homelab server" ` + serverData + "\n"

// serverService is the unit of a server that listens on an address. It has no
// rights but to its own folder and, where the port is below 1024, to bind it.
func serverService(binary, listen string) string {
	capability, private := "", "yes"
	if _, port, err := net.SplitHostPort(listen); err == nil && lowPort(port) {
		// Rights of a user namespace of its own do not count for ports.
		capability, private = "CAP_NET_BIND_SERVICE", "no"
	}
	return strings.NewReplacer("@BINARY@", binary, "@LISTEN@", listen, "@KEYS@", adminKeysFile,
		"@CAPABILITY@", capability, "@PRIVATE@", private).Replace(serverTemplate)
}

func lowPort(port string) bool { return len(port) < 4 || len(port) == 4 && port < "1024" }

// agentService is the unit of an agent. Of the binary's folder it may write,
// because `agent update` replaces the binary.
func agentService(binary string) string {
	return strings.NewReplacer("@BINARY@", binary, "@FOLDER@", filepath.Dir(binary)).Replace(agentTemplate)
}

const hardened = `NoNewPrivileges=yes
PrivateTmp=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
`

const serverTemplate = `# Written by "homelab install server". Your own changes: systemctl edit ` + serverUnit + `
[Unit]
Description=homelab server: the home lab's SSH endpoint
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart=@BINARY@ serve --listen @LISTEN@ --authorized-keys @KEYS@
User=homelab
Group=homelab
StateDirectory=homelab/server
StateDirectoryMode=0700
UMask=0077
Restart=always
RestartSec=2
TimeoutStopSec=30

AmbientCapabilities=@CAPABILITY@
CapabilityBoundingSet=@CAPABILITY@
PrivateUsers=@PRIVATE@
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
PrivateDevices=yes
RemoveIPC=yes
MemoryDenyWriteExecute=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
` + hardened + `
[Install]
WantedBy=multi-user.target
`

// The agent is root: libvirt's socket, its pools anywhere on the machine
// (hence neither ProtectHome nor strict) and the order to shut down need it.
const agentTemplate = `# Written by "homelab install agent". Your own changes: systemctl edit ` + agentUnit + `
[Unit]
Description=homelab agent: carries out what the server orders on this hypervisor
Wants=network-online.target
After=network-online.target libvirtd.service virtqemud.service

[Service]
Type=exec
ExecStart=@BINARY@ agent
StateDirectory=homelab/agent
StateDirectoryMode=0700
Restart=always
RestartSec=5
# An apply that is under way ends in order.
KillMode=mixed
TimeoutStopSec=120

CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_KILL CAP_SYS_BOOT
ProtectSystem=full
ReadWritePaths=@FOLDER@
ProtectProc=invisible
DevicePolicy=closed
DeviceAllow=/dev/kvm rw
SystemCallFilter=@system-service
` + hardened + `
[Install]
WantedBy=multi-user.target
`

// listenOf is the address to listen on; an empty host is every address.
func listenOf(address, port string) string { return net.JoinHostPort(address, port) }

// unitOf names the unit and the data folder of "server" or "agent".
func unitOf(what string) (unit, data string, err error) {
	switch what {
	case "server":
		return serverUnit, serverData, nil
	case "agent":
		return agentUnit, agentData, nil
	}
	return "", "", fmt.Errorf("%q is not server or agent", what)
}
