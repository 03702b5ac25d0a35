package server

import (
	"context"
	"sync"
	"time"

	"homelab/agent/wire"
	"homelab/model"
	"homelab/model/store"
)

const (
	// commitPause is the least time between two commits of records, whoever
	// sent them: a memory card lives longer.
	commitPause = 300 * time.Millisecond
	// gatherTime is how long the first record after a quiet time waits for
	// those that come with it.
	gatherTime = 20 * time.Millisecond
	// maxPending is how many records of one agent may wait; then it is read no
	// further.
	maxPending = 20_000
)

// ingest commits what the agents record, in batches, each agent in its turn,
// and acknowledges what is committed. What it has not committed is sent again.
type ingest struct {
	store *store.Store
	ended func(*agentConn, model.Run) // is told of runs that ended
	wake  chan struct{}

	mu    sync.Mutex
	queue []*batch
}

// batch is the records of one connection that wait.
type batch struct {
	conn    *agentConn
	records []model.Record
	taken   chan struct{} // closed when they wait no longer
}

func newIngest(st *store.Store, ended func(*agentConn, model.Run)) *ingest {
	return &ingest{store: st, ended: ended, wake: make(chan struct{}, 1)}
}

// add queues records. It waits while too many of that agent wait already.
func (i *ingest) add(conn *agentConn, records []model.Record) {
	i.mu.Lock()
	b := i.of(conn)
	if b == nil {
		b = &batch{conn: conn, taken: make(chan struct{})}
		i.queue = append(i.queue, b)
	}
	b.records = append(b.records, records...)
	full := len(b.records) >= maxPending
	i.mu.Unlock()
	select {
	case i.wake <- struct{}{}:
	default:
	}
	if full {
		select {
		case <-b.taken:
		case <-conn.done:
		}
	}
}

func (i *ingest) of(conn *agentConn) *batch {
	for _, b := range i.queue {
		if b.conn == conn {
			return b
		}
	}
	return nil
}

// forget drops what waits of a connection that is over: its agent sends it
// again.
func (i *ingest) forget(conn *agentConn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, b := range i.queue {
		if b.conn == conn {
			i.queue = append(i.queue[:n:n], i.queue[n+1:]...)
			return
		}
	}
}

func (i *ingest) take() *batch {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.queue) == 0 {
		return nil
	}
	b := i.queue[0]
	i.queue = i.queue[1:]
	close(b.taken)
	return b
}

// Run commits until ctx ends.
func (i *ingest) Run(ctx context.Context) {
	last := time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.wake:
		}
		for {
			if !sleep(ctx, max(gatherTime, time.Until(last.Add(commitPause)))) {
				return
			}
			b := i.take()
			if b == nil {
				break
			}
			last = time.Now()
			i.commit(b)
		}
	}
}

func (i *ingest) commit(b *batch) {
	before := i.store.ActiveRuns() // what ended before, and is sent again, is not among these
	ack, err := i.store.Ingest(b.conn.hypervisor, b.conn.hello.Spool, b.records)
	if err != nil {
		b.conn.end(err)
		return
	}
	b.conn.recorded()
	_ = b.conn.send(wire.Frame{Kind: wire.KindAck, Ack: ack}) // one that is gone asks again
	for _, rec := range b.records {
		if was, ok := before[rec.Run]; !ok || was.Hypervisor != b.conn.hypervisor || !rec.State.Ended() {
			continue
		}
		if run, err := i.store.Run(rec.Run); err == nil { // one without changes is not kept
			i.ended(b.conn, run)
		}
	}
}

// sleep waits; false is that ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
