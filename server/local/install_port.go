package local

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// checkPort refuses an address that another program listens on, and says what
// can be done. With --dry-run it only says so.
func (i *installation) checkPort(listen string) error {
	if i.root != "" {
		return nil // of another machine nothing is known
	}
	err := portTaken(listen)
	if err == nil {
		return nil
	}
	if i.dry {
		i.sayf("note: %v", err)
		return nil
	}
	return err
}

// portBefore is the port of a server that is installed already, else empty.
func (i *installation) portBefore() string {
	unit, _ := os.ReadFile(i.path(filepath.Join(unitFolder, serverUnit)))
	if listen := regexp.MustCompile(`--listen \S*:(\d+)`).FindSubmatch(unit); listen != nil {
		return string(listen[1])
	}
	return ""
}

// portTaken is an error if a program other than homelab listens on an address.
func portTaken(listen string) error {
	ln, err := net.Listen("tcp", listen)
	if err == nil {
		return ln.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		if errors.Is(err, syscall.EACCES) {
			return nil // systemd gives the right to it
		}
		return fmt.Errorf("cannot listen on %s: %w", listen, err)
	}
	_, port, _ := net.SplitHostPort(listen)
	holder := listener(port)
	if strings.HasPrefix(holder, "homelab ") {
		return nil // it is replaced
	}
	text := fmt.Sprintf("port %s is taken by %s", port, holder)
	if port != "22" {
		return fmt.Errorf("%s: choose another with --port", text)
	}
	return errors.New(text + `. Ways to have ` + "`ssh homelab.lan`" + ` without a port:
  - move this machine's own sshd: put "Port 2200" into /etc/ssh/sshd_config.d/port.conf, run "systemctl restart ssh" (where
    ssh.socket is active, set ListenStream there by "systemctl edit ssh.socket"), see that "ssh -p 2200" works before you
    leave this session, and install again with --port 22;
  - give homelab an address of its own: add one to this machine, bind sshd to the old one by "ListenAddress" in its
    configuration, and install with --port 22 --address THE-NEW-ONE;
  - leave sshd alone, install without --port, and write into ~/.ssh/config where you work:
        Host homelab.lan
            Port 2222`)
}

// listener names the program that listens on a TCP port of this machine as well
// as this user may know it.
func listener(port string) string {
	sockets := map[string]bool{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, inode := range listening(file, port) {
			sockets["socket:["+inode+"]"] = true
		}
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && sockets[target] {
			pid := strings.Split(link, "/")[2]
			name, _ := os.ReadFile(filepath.Join("/proc", pid, "comm"))
			return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
		}
	}
	return "another program"
}

// listening are the inodes of the sockets that listen on a port, from a table of
// the kernel's (proc(5)).
func listening(file, port string) []string {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	var inodes []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		const listens = "0A"
		if len(fields) < 10 || fields[3] != listens {
			continue
		}
		_, hexPort, _ := strings.Cut(fields[1], ":")
		b, err := hex.DecodeString(hexPort)
		if err == nil && len(b) == 2 && strconv.Itoa(int(b[0])<<8|int(b[1])) == port {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}
