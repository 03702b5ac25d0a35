package command

import (
	"context"
	"io"
	"unicode/utf8"
)

const (
	ctrlC     = 0x03
	ctrlD     = 0x04
	backspace = 0x08
	ctrlU     = 0x15
	del       = 0x7f
)

// keys are the bytes that a person types. The client's terminal is raw: nothing
// is echoed and Ctrl-C is a byte like any other.
type keys <-chan byte

// readKeys reads a terminal until it ends; Ctrl-C calls interrupt. The
// goroutine ends with the terminal, which ends with the session.
func readKeys(in io.Reader, interrupt func()) keys {
	typed := make(chan byte, 256)
	go func() {
		defer close(typed)
		buf := make([]byte, 256)
		for {
			n, err := in.Read(buf)
			for _, b := range buf[:n] {
				if b == ctrlC {
					interrupt()
					return
				}
				select {
				case typed <- b:
				default: // nobody asks: Ctrl-C must not wait behind it
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return typed
}

// line reads what a person types until Enter, echoing it to out and obeying
// backspace. It ends with io.EOF when there is nobody to type.
func (k keys) line(ctx context.Context, out io.Writer) (string, error) {
	var text []byte
	for {
		select {
		case <-ctx.Done():
			write(out, "\n")
			return "", context.Cause(ctx)
		case b, ok := <-k:
			switch {
			case !ok || b == ctrlD && len(text) == 0:
				write(out, "\n")
				if ctx.Err() != nil {
					return "", context.Cause(ctx)
				}
				return "", io.EOF
			case b == '\r' || b == '\n':
				write(out, "\n")
				return string(text), nil
			case b == backspace || b == del:
				if len(text) > 0 {
					_, n := utf8.DecodeLastRune(text)
					text = text[:len(text)-n]
					write(out, "\b \b")
				}
			case b == ctrlU:
				for len(text) > 0 {
					_, n := utf8.DecodeLastRune(text)
					text = text[:len(text)-n]
					write(out, "\b \b")
				}
			case b >= ' ' && len(text) < 256:
				text = append(text, b)
				_, _ = out.Write([]byte{b})
			}
		}
	}
}
