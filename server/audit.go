package server

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"homelab/model"
	"homelab/model/store"
)

const (
	auditPause  = 5 * time.Second // from something new to its write; what is lost by kill -9
	auditRepeat = time.Minute     // between two writes that only count on
	auditWindow = time.Hour       // in which the same again is counted, not noted anew
	// maxAuditOpen is how many different entries are counted on at once, and
	// maxAuditStrangers how many of these may be of strangers: those beyond are
	// counted together.
	maxAuditOpen      = 4000
	maxAuditStrangers = 200
)

// everywhere is the address of strangers that are too many to be named.
const everywhere = "many addresses"

// audit notes who did what. It never blocks, and writes a batch every few
// seconds at most: a flood costs neither the disk nor room, because what is the
// same again is counted in the entry that there is.
type audit struct {
	store *store.Store
	log   *slog.Logger
	now   func() time.Time
	wake  chan struct{} // something new is to be written

	writing sync.Mutex // held while entries are written

	mu        sync.Mutex
	open      map[auditKey]*auditEntry
	strangers int           // of open
	retired   []*auditEntry // no longer counted on, to be written once more
}

// auditKey is what makes two entries the same.
type auditKey struct {
	kind               model.AuditKind
	who, address, what string
}

type auditEntry struct {
	model.Audited
	dirty bool
}

func newAudit(st *store.Store, log *slog.Logger) *audit {
	return &audit{store: st, log: log, now: time.Now, wake: make(chan struct{}, 1), open: map[auditKey]*auditEntry{}}
}

// note takes an entry; its time and its number are given here.
func (a *audit) note(e model.Audited) {
	now := a.now().UTC()
	if host, _, err := net.SplitHostPort(e.Address); err == nil {
		e.Address = host
	}
	e.What = firstLineOf(e.What)
	a.mu.Lock()
	defer a.mu.Unlock()
	k := auditKey{e.Kind, e.Who, e.Address, e.What}
	entry := a.open[k]
	if entry == nil && e.Kind == model.AuditRefused && a.strangers >= maxAuditStrangers {
		k.address, e.Address = everywhere, everywhere
		entry = a.open[k]
	}
	if entry != nil && now.Sub(entry.Time) < auditWindow {
		entry.Count++
		entry.Last, entry.Key, entry.dirty = now, e.Key, true
		return
	}
	if entry != nil || len(a.open) >= maxAuditOpen {
		a.retire(now)
	}
	if e.Kind == model.AuditRefused {
		a.strangers++
		a.log.Warn("refused", "address", e.Address, "key", e.Key, "why", e.What)
	}
	e.Time, e.Last, e.Count, e.Number = now, now, 1, 0
	a.open[k] = &auditEntry{Audited: e, dirty: true}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// retire counts on no longer with what is an hour old, or with anything if
// there is too much of it.
func (a *audit) retire(now time.Time) {
	all := len(a.open) >= maxAuditOpen
	for k, e := range a.open {
		if !all && now.Sub(e.Time) < auditWindow {
			continue
		}
		if e.dirty && len(a.retired) < maxAuditOpen {
			a.retired = append(a.retired, e)
		}
		if k.kind == model.AuditRefused {
			a.strangers--
		}
		delete(a.open, k)
	}
}

// Run writes what is noted until ctx ends, and then the rest.
func (a *audit) Run(ctx context.Context) {
	repeat := time.NewTicker(auditRepeat)
	defer repeat.Stop()
	for {
		select {
		case <-ctx.Done():
			a.settle()
			return
		case <-repeat.C:
		case <-a.wake:
			pause := time.NewTimer(auditPause)
			select {
			case <-ctx.Done():
			case <-pause.C:
			}
			pause.Stop()
		}
		a.settle()
	}
}

// settle writes what is not written yet. Only one does at a time; notes go on
// meanwhile.
func (a *audit) settle() {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.Lock()
	a.retire(a.now())
	dirty := a.retired
	for _, e := range a.open {
		if e.dirty {
			dirty = append(dirty, e)
		}
	}
	a.retired = nil
	slices.SortFunc(dirty, func(x, y *auditEntry) int { return x.Last.Compare(y.Last) })
	copies := make([]*model.Audited, len(dirty))
	for i, e := range dirty {
		one := e.Audited
		copies[i], e.dirty = &one, false
	}
	a.mu.Unlock()
	if err := a.store.WriteAudit(copies); err != nil {
		a.log.Error("what was done could not be noted", "entries", len(copies), "error", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, e := range dirty {
		e.Number = copies[i].Number
	}
}
