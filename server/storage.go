package server

import (
	"context"
	"maps"
	"sync"
	"time"

	"homelab/model"
)

// sharePause is how long a ping of a storage server says whether it is awake.
const sharePause = 30 * time.Second

// storage finds out whether the servers of shares are awake, by what outlets
// and agents say anyway and by pings, which wake no disks.
type storage struct {
	s     *Server
	pause time.Duration
	pings map[string]model.Ping // by server; of Run alone
}

func newStorage(s *Server) *storage {
	return &storage{s: s, pause: sharePause, pings: map[string]model.Ping{}}
}

// Run looks whenever something changed that tells, and pings now and then,
// until ctx ends.
func (w *storage) Run(ctx context.Context) {
	watch := w.s.store.Hub().Watch()
	defer watch.Close()
	tick := time.NewTicker(w.pause)
	defer tick.Stop()
	for news, fresh := true, true; ; {
		if fresh {
			w.ping(ctx)
		}
		if news {
			w.look()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			news, fresh = true, true
		case <-watch.C():
			news, fresh = concernsShares(watch.Take())
		}
	}
}

// concernsShares tells whether anything that changed tells of storage servers,
// and whether it is one that was not pinged yet.
func concernsShares(dirty map[model.Ref]struct{}) (news, fresh bool) {
	for ref := range dirty {
		switch ref.Kind {
		case model.KindShare:
			news, fresh = true, true
		case model.KindOutlet, model.KindOutletStatus, model.KindHypervisor, model.KindStatus:
			news = true
		}
	}
	return news, fresh
}

// ping pings each storage server that its outlet says may be up.
func (w *storage) ping(ctx context.Context) {
	state, status := w.s.store.State(), w.s.observed.status()
	servers := map[string]bool{}
	for _, share := range state.Shares {
		if status.Outlets[share.Outlet].State != model.PowerOff {
			servers[share.Server] = true
		}
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	pings := map[string]model.Ping{}
	for server := range servers {
		all.Go(func() {
			p := w.pingOne(ctx, server)
			mu.Lock()
			defer mu.Unlock()
			pings[server] = p
		})
	}
	all.Wait()
	w.pings = pings
}

// pingOne pings a server a second time before it counts as asleep: one packet
// may be lost.
func (w *storage) pingOne(ctx context.Context, server string) model.Ping {
	answers, err := w.s.ping(ctx, server)
	if err == nil && !answers {
		answers, err = w.s.ping(ctx, server)
	}
	if err != nil {
		return model.Ping{Error: err.Error()}
	}
	return model.Ping{At: time.Now().UTC(), Answers: answers}
}

func (w *storage) look() {
	state, status := w.s.store.State(), w.s.observed.status()
	shares := make(map[string]model.ShareStatus, len(state.Shares))
	for name, share := range state.Shares {
		shares[name] = model.AwakeServer(share, state, status, w.pings[share.Server])
	}
	w.s.observed.setShares(shares)
}

// setShares replaces what is known of the servers of shares. That the same was
// found again is no news.
func (o *observed) setShares(shares map[string]model.ShareStatus) {
	o.mu.Lock()
	old := o.shares
	var news []model.Ref
	for name, st := range shares {
		was, ok := old[name]
		if st.Since = was.Since; !ok || was.Awake != st.Awake {
			st.Since = st.Observed
		}
		shares[name] = st
		if !ok || was.Awake != st.Awake || was.Why != st.Why {
			news = append(news, model.Ref{Kind: model.KindShareStatus, Name: name})
		}
	}
	for name := range old {
		if _, ok := shares[name]; !ok {
			news = append(news, model.Ref{Kind: model.KindShareStatus, Name: name})
		}
	}
	o.shares = maps.Clone(shares)
	o.mu.Unlock()
	o.store.Hub().Publish(news...)
}
