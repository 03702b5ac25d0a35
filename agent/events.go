package agent

import (
	"context"
	"net"
	"time"

	"github.com/digitalocean/go-libvirt"

	"homelab/model"
)

// eventPause is the pause after libvirt could not be reached for its events.
const eventPause = 2 * time.Second

// watchEvents has the guests looked at whenever libvirt says that something
// happened to a domain, until ctx ends. It has a connection of its own, and
// makes another when libvirtd was restarted: then it looks, too.
func (a *agent) watchEvents(ctx context.Context) {
	for {
		if m := a.manifest.Load(); m != nil && m.Platform == model.PlatformLibvirt {
			if err := a.virt.follow(ctx, a.look); err != nil && ctx.Err() == nil {
				a.log.Debug("no events of libvirt", "error", err)
			}
		}
		if pause(ctx, eventPause) != nil {
			return
		}
	}
}

// eventSocket connects for go-libvirt, which cannot be told to give up.
type eventSocket struct{ conn net.Conn }

func (s eventSocket) Dial() (net.Conn, error) { return s.conn, nil }

// follow calls happened for each event of a domain's life until the connection
// ends.
func (v *virt) follow(ctx context.Context, happened func()) error {
	conn, err := net.DialTimeout("unix", v.socket, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	greeting := time.AfterFunc(callTime, func() { conn.Close() })
	defer greeting.Stop()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	l := libvirt.NewWithDialer(eventSocket{conn})
	if err := l.ConnectToURI(v.uri); err != nil {
		return err
	}
	events, err := l.LifecycleEvents(context.Background()) // it ends with the connection
	if err != nil {
		return err
	}
	greeting.Stop()
	happened() // what there was before is not told
	for e := range events {
		if is := libvirt.DomainEventType(e.Event); is == libvirt.DomainEventDefined || is == libvirt.DomainEventUndefined {
			v.stale.Store(true)
		}
		happened()
	}
	return nil
}
