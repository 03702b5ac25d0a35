package server

import (
	"io"
	"slices"
	"sync"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"

	"homelab/model"
	"homelab/tui/display"
)

// rawKey finds a session's own channel in its context: what the session writes
// goes by an emulated pty that rewrites line ends, which would spoil what a
// program draws that has the terminal raw.
type rawKey struct{}

// channelContext is a connection's context as one of its channels sees it.
type channelContext struct {
	ssh.Context
	open *rawChannel
}

func (c channelContext) Value(key any) any {
	if key == (rawKey{}) {
		return c.open.accepted
	}
	return c.Context.Value(key)
}

// rawChannel remembers the channel that it becomes.
type rawChannel struct {
	gossh.NewChannel
	accepted io.Writer
}

// Accept accepts the channel.
func (r *rawChannel) Accept() (gossh.Channel, <-chan *gossh.Request, error) {
	ch, reqs, err := r.NewChannel.Accept()
	if err != nil {
		return nil, nil, err
	}
	r.accepted = ch
	return ch, frugal(reqs), nil
}

// maxEnviron is how much environment of one session is taken, in bytes.
const maxEnviron = 64 << 10

// frugal are the requests without those for more environment than anybody has:
// it is kept for the life of a session.
func frugal(reqs <-chan *gossh.Request) <-chan *gossh.Request {
	out := make(chan *gossh.Request)
	go func() { // ends with the channel, whose requests are read to the end
		defer close(out)
		taken := 0
		for req := range reqs {
			if req.Type == "env" {
				if taken += len(req.Payload); taken > maxEnviron {
					_ = req.Reply(false, nil)
					continue
				}
			}
			out <- req
		}
	}()
	return out
}

// rawOf is where raw bytes for a session's terminal go.
func rawOf(sess ssh.Session) io.Writer {
	if raw, ok := sess.Context().Value(rawKey{}).(io.Writer); ok {
		return raw
	}
	return sess
}

func terminalOf(sess ssh.Session, win *window) *model.Terminal {
	return &model.Terminal{In: sess, Out: rawOf(sess), Size: win.get}
}

// keyboard is what is typed in a session. It has one reader at a time: the
// dashboard, or whom that has lent it to; the other reads its end. Nothing that
// is typed is lost between them.
type keyboard struct {
	terminal model.Terminal
	display  *display.Display
	ended    func() // called once nothing more will be typed

	mu    sync.Mutex
	wake  *sync.Cond
	typed []byte // not read yet
	lent  bool
	over  bool
}

func newKeyboard(sess ssh.Session, win *window, scr *display.Display) *keyboard {
	k := &keyboard{terminal: *terminalOf(sess, win), display: scr, ended: func() {}}
	k.wake = sync.NewCond(&k.mu)
	return k
}

// run reads what is typed until the session's input ends.
func (k *keyboard) run() {
	in := k.terminal.In
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		k.mu.Lock()
		k.typed = append(k.typed, buf[:n]...)
		k.wake.Broadcast()
		for len(k.typed) > 0 && !k.over {
			k.wake.Wait()
		}
		over := k.over
		k.mu.Unlock()
		if err != nil || over {
			k.hangUp()
			k.ended()
			return
		}
	}
}

// hangUp ends what both readers read.
func (k *keyboard) hangUp() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	k.wake.Broadcast()
}

// read reads for the borrower or the owner.
func (k *keyboard) read(p []byte, borrower bool) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		switch {
		case k.over || k.lent != borrower:
			return 0, io.EOF
		case len(k.typed) > 0:
			n := copy(p, k.typed)
			k.typed = k.typed[:copy(k.typed, k.typed[n:])]
			k.wake.Broadcast()
			return n, nil
		}
		k.wake.Wait()
	}
}

// Read reads what the dashboard's person types.
func (k *keyboard) Read(p []byte) (int, error) { return k.read(p, false) }

type borrowed struct{ k *keyboard }

func (b borrowed) Read(p []byte) (int, error) { return b.k.read(p, true) }

// Unread gives back what was read and is for the dashboard.
func (b borrowed) Unread(p []byte) {
	b.k.mu.Lock()
	defer b.k.mu.Unlock()
	b.k.typed = append(slices.Clone(p), b.k.typed...)
	b.k.wake.Broadcast()
}

// Lend hands the terminal to somebody else until [keyboard.Return].
func (k *keyboard) Lend() model.Terminal {
	k.lend(true)
	k.display.Lend()
	return model.Terminal{In: borrowed{k}, Out: k.terminal.Out, Size: k.terminal.Size}
}

// Return takes the terminal back.
func (k *keyboard) Return() {
	k.lend(false)
	k.display.Return()
}

func (k *keyboard) lend(lent bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lent = lent
	k.wake.Broadcast()
}
