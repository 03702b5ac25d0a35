package agent

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"homelab/agent/wire"
)

// maxConsoles are open at once on one connection; the server opens one of a VM.
const maxConsoles = 64

// serveConsoles attaches the server to guests' consoles as it asks, until the
// connection ends; then every console is let go of.
func (a *agent) serveConsoles(ctx context.Context, opens <-chan ssh.NewChannel) {
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, maxConsoles)
	for open := range opens {
		select {
		case places <- struct{}{}:
		default:
			_ = open.Reject(ssh.ResourceShortage, fmt.Sprintf("%d consoles are open already", maxConsoles))
			continue
		}
		wg.Go(func() {
			defer func() { <-places }()
			a.serveConsole(ctx, open)
		})
	}
}

func (a *agent) serveConsole(ctx context.Context, open ssh.NewChannel) {
	var what wire.ConsoleOpen
	if err := ssh.Unmarshal(open.ExtraData(), &what); err != nil {
		_ = open.Reject(ssh.Prohibited, "malformed request")
		return
	}
	p, m, err := a.place()
	var console io.ReadWriteCloser
	if err == nil {
		console, err = p.Console(ctx, m, what.VM)
	}
	if err != nil {
		_ = open.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	ch, reqs, err := open.Accept()
	if err != nil {
		console.Close()
		return
	}
	a.log.Info("console attached", "vm", a.names.Of(what.VM))
	if !pass(ch, reqs, console) {
		_, _ = io.WriteString(ch.Stderr(), a.consoleEnd(ctx, p, m, what.VM))
	}
	ch.Close()
	a.log.Info("console let go", "vm", a.names.Of(what.VM))
}

// pass passes bytes both ways until the channel or the console ends, and tells
// whether it was the channel: that the server let go. What is typed may be stuck
// in a guest that reads nothing, so that the end of the channel closes both.
func pass(ch ssh.Channel, reqs <-chan *ssh.Request, console io.ReadWriteCloser) (letGo bool) {
	gone := make(chan struct{})
	go func() { // ends with the channel
		ssh.DiscardRequests(reqs)
		close(gone)
		console.Close()
	}()
	go func() { _, _ = io.Copy(console, ch) }() // ends with either
	_, _ = io.Copy(ch, console)
	console.Close()
	select {
	case <-gone:
		return true
	default:
		return false
	}
}

// consoleEnd says why the console of a VM's guest has ended.
func (a *agent) consoleEnd(ctx context.Context, p platform, m wire.Manifest, id string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	guests, err := p.Guests(ctx, m)
	if err != nil {
		return err.Error()
	}
	for _, g := range guests {
		if g.ID == id {
			return "the guest is " + string(g.State)
		}
	}
	return "its domain is gone"
}
