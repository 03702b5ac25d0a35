package server

import (
	"context"
	"sync"
	"time"

	"homelab/server/decide"

	probing "github.com/prometheus-community/pro-bing"
)

const (
	pingPause = 2 * time.Second
	pingTime  = time.Second
)

// prober pings a machine while somebody wants to know whether it is off. Where
// this process may not ping, it has nothing to say.
type prober struct {
	mu   sync.Mutex
	busy bool
	last decide.PingSeen
}

func (p *prober) seen() decide.PingSeen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// start pings once, unless that is being done or was done just now, and has the
// hypervisor looked at again.
func (p *prober) start(ctx context.Context, r *reconciler, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy || address == "" {
		return
	}
	p.busy = true
	r.orders.Go(func() { // ends after a ping and a pause, or with ctx
		answers, err := r.s.ping(ctx, address)
		now := time.Now()
		p.mu.Lock()
		if err == nil {
			p.last.At, p.last.Answers = now, answers
		}
		if answers {
			p.last.Answered = now
		}
		p.mu.Unlock()
		sleep(ctx, pingPause)
		p.mu.Lock()
		p.busy = false
		p.mu.Unlock()
		r.kicked()
	})
}

// ping tells whether a machine answers; an error is that nobody knows. It needs
// no rights but those that net.ipv4.ping_group_range gives.
func ping(ctx context.Context, address string) (bool, error) {
	p := probing.New(address)
	p.Count, p.Timeout = 1, pingTime
	if err := p.RunWithContext(ctx); err != nil {
		return false, err
	}
	return p.Statistics().PacketsRecv > 0, nil
}
