package model

import "sync"

// Hub tells watchers which things changed. It is only a hint: a watcher keeps
// a set of dirty references, so publishing never blocks, nothing is queued
// without bound and no change is lost. Subscribe first, then read.
//
// The zero Hub is ready for use. Its methods may be called from any goroutine.
type Hub struct {
	mu       sync.Mutex
	watchers map[*Watcher]struct{}
}

// Watch subscribes; Close the watcher to end it.
func (h *Hub) Watch() *Watcher {
	w := &Watcher{hub: h, wake: make(chan struct{}, 1), dirty: map[Ref]struct{}{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == nil {
		h.watchers = map[*Watcher]struct{}{}
	}
	h.watchers[w] = struct{}{}
	return w
}

// Publish marks refs as changed for every watcher.
func (h *Hub) Publish(refs ...Ref) {
	if len(refs) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		w.mark(refs)
	}
}

// Watcher collects what changed since it was last asked.
type Watcher struct {
	hub   *Hub
	wake  chan struct{}
	mu    sync.Mutex
	dirty map[Ref]struct{}
}

func (w *Watcher) mark(refs []Ref) {
	w.mu.Lock()
	for _, r := range refs {
		w.dirty[r] = struct{}{}
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// C receives when there is something to take. It is never closed.
func (w *Watcher) C() <-chan struct{} { return w.wake }

// Take returns what changed since the last call, which may be nothing.
func (w *Watcher) Take() map[Ref]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.dirty
	w.dirty = map[Ref]struct{}{}
	return taken
}

// Close ends the subscription.
func (w *Watcher) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	delete(w.hub.watchers, w)
}
