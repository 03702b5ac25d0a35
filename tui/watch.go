package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// pause is the least time between two snapshots: what a busy run changes in
// between is seen with the next one.
const pause = 50 * time.Millisecond

// changedMsg brings a new cache and says what is new in it.
type changedMsg struct {
	cache *cache
	dirty map[model.Ref]struct{}
	at    time.Time
}

// tickMsg brings the time, for ages.
type tickMsg struct {
	at time.Time
	id int // of the chain of ticks that it belongs to
}

// done is what a command found out: a function that runs in Update.
type done func(a *app) tea.Cmd

// watch waits for changes and reads them. It ends with ctx.
func watch(ctx context.Context, lab Lab, w *model.Watcher, prev *cache, last time.Time) tea.Cmd {
	return func() tea.Msg {
		select {
		case <-ctx.Done():
			return nil
		case <-w.C():
		}
		if rest := pause - time.Since(last); rest > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(rest):
			}
		}
		dirty := w.Take()
		return changedMsg{look(lab, prev), dirty, time.Now()}
	}
}

// tick brings the time after a while, or nothing once the session has ended.
func (a *app) tick() tea.Cmd {
	ctx, now, id := a.ctx, a.opts.Now, a.tickID
	a.pulse = a.beat()
	d := a.pulse
	return func() tea.Msg {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			return tickMsg{now(), id}
		}
	}
}

// answer is what async found out.
type answer struct{ do done }

// async does something that may take time, off the event loop. What was
// ordered is carried through even if the session ends meanwhile.
func (a *app) async(f func(ctx context.Context) done) tea.Cmd {
	a.busy++
	ctx := context.WithoutCancel(a.ctx)
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return answer{f(ctx)}
	}
}

// after runs f in Update when d has passed, unless the session has ended.
func (a *app) after(d time.Duration, f done) tea.Cmd {
	ctx := a.ctx
	return func() tea.Msg {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			return f
		}
	}
}
