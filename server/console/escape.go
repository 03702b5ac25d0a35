package console

// escapeKey begins what a person at a console says to the server and not to
// the guest: Ctrl-], as in telnet and virsh.
const escapeKey = 0x1d

// What may follow it.
const (
	escapeLeave   = 'q'
	escapeWrite   = 'w'
	escapeSize    = 's'
	escapeLiteral = ']'
	escapeHelp    = '?'
)

const escapeText = "Ctrl-] then q leaves, w takes over the keyboard, s tells the guest the size of your window (it types stty), ] sends Ctrl-]"

// escape finds in what is typed what is for the server. A sequence may come in
// pieces.
type escape struct{ begun bool }

// next returns what of p is for the guest, up to the next request to the server;
// 0 is that there is none. It leaves the rest for the next call.
func (e *escape) next(p []byte) (data []byte, request byte, rest []byte) {
	for i, b := range p {
		if !e.begun {
			if b == escapeKey {
				e.begun = true
				if i > 0 {
					return p[:i], 0, p[i+1:]
				}
			}
			continue
		}
		e.begun = false
		switch b {
		case escapeLiteral:
			return []byte{escapeKey}, 0, p[i+1:]
		case escapeLeave, escapeWrite, escapeSize:
			return nil, b, p[i+1:]
		case '.', escapeKey: // ways to leave elsewhere
			return nil, escapeLeave, p[i+1:]
		}
		return nil, escapeHelp, p[i+1:]
	}
	if e.begun {
		return nil, 0, nil
	}
	return p, 0, nil
}
