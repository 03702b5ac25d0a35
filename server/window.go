package server

import (
	"sync"

	"charm.land/ssh"
)

// window is the size of one session's terminal: the latest, within what is
// drawn for anybody. It is asked instead of the session's own Pty, which
// races with resizes.
type window struct {
	term    string        // TERM
	changed chan struct{} // there is a new size
	gone    chan struct{} // closed when the client's side of the session is gone

	mu   sync.Mutex
	size ssh.Window
}

func (w *window) get() (width, height int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size.Width, w.size.Height
}

func (w *window) set(size ssh.Window) {
	w.mu.Lock()
	w.size = clamp(size)
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// clamp keeps the cell buffers, which are in proportion to the window, small;
// a client without a terminal says 0.
func clamp(w ssh.Window) ssh.Window {
	if w.Width <= 0 {
		w.Width = 80
	}
	if w.Height <= 0 {
		w.Height = 24
	}
	w.Width, w.Height = min(w.Width, maxPTYColumns), min(w.Height, maxPTYRows)
	return w
}

// watchWindow drains the window changes of a session that asked for a pty, from
// then on, whatever the session does: the library's channel holds one of them,
// and a second would stall every session of the connection.
func (s *Server) watchWindow(sess ssh.Session, term string) {
	w := &window{term: term, changed: make(chan struct{}, 1), gone: make(chan struct{})}
	_, changes, _ := sess.Pty()
	s.windows.Store(sess, w)
	if size, ok := <-changes; ok { // the first is there already
		w.set(size)
	}
	go func() { // ends when the client's side of the session does
		defer s.windows.Delete(sess)
		defer close(w.gone)
		for size := range changes {
			w.set(size)
		}
	}()
}

// window is that of a session with a pty; nil is that it has none.
func (s *Server) window(sess ssh.Session) *window {
	if w, ok := s.windows.Load(sess); ok {
		return w.(*window)
	}
	return nil
}
