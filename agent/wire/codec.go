package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrTooLong ends a connection: its peer sent a line over [MaxLine].
var ErrTooLong = fmt.Errorf("a line is longer than %d bytes", MaxLine)

// UnknownKindError is returned by [Reader.Read] for a frame of a kind that
// this version does not know. It is not fatal: answer it with [Refusal] and
// read on.
type UnknownKindError struct{ Kind string }

func (e *UnknownKindError) Error() string {
	kind := e.Kind
	if len(kind) > 40 {
		kind = kind[:40] + "…"
	}
	return fmt.Sprintf("unknown kind of frame %q: this side speaks version %d", kind, Version)
}

// Refusal is the error frame that answers a frame of an unknown kind.
func (e *UnknownKindError) Refusal() Frame { return Frame{Kind: KindError, Error: e.Error()} }

// Reader reads frames. It holds no more than one line in memory.
type Reader struct{ r *bufio.Reader }

// NewReader reads frames from r.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 32<<10)} }

// Read returns the next frame, whose parts are there as its kind says. Every
// error but an [UnknownKindError] ends the conversation: io.EOF between
// frames, io.ErrUnexpectedEOF within one, [ErrTooLong], or what is malformed.
func (r *Reader) Read() (Frame, error) {
	line, err := r.line()
	if err != nil {
		return Frame{}, err
	}
	return decode(line)
}

func (r *Reader) line() ([]byte, error) {
	var long []byte
	for {
		part, err := r.r.ReadSlice('\n')
		if len(long)+len(part) > MaxLine {
			return nil, ErrTooLong
		}
		switch {
		case err == nil && long == nil:
			return part, nil
		case err == nil:
			return append(long, part...), nil
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
		case errors.Is(err, io.EOF) && len(long)+len(part) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

func decode(line []byte) (Frame, error) {
	var f Frame
	if err := json.Unmarshal(line, &f); err != nil {
		// A kind of a later version may give our fields other types.
		var k struct {
			Kind string `json:"kind"`
		}
		if json.Unmarshal(line, &k) == nil && k.Kind != "" && !known(k.Kind) {
			return Frame{}, &UnknownKindError{k.Kind}
		}
		return Frame{}, fmt.Errorf("malformed frame: %w", err)
	}
	if !known(f.Kind) {
		return f, &UnknownKindError{f.Kind}
	}
	if missing := f.missing(); missing != "" {
		return Frame{}, fmt.Errorf("malformed frame: kind %q without %q", f.Kind, missing)
	}
	return f, nil
}

func known(kind string) bool {
	switch kind {
	case KindHello, KindRecords, KindInventory, KindLoad, KindWelcome, KindDesired, KindRun, KindApprove, KindCancel,
		KindShutdown, KindRestart, KindCut, KindAdopt, KindUnlock, KindUpdate, KindPrune, KindResult, KindAck, KindPing, KindError:
		return true
	}
	return false
}

// missing names the part that a frame's kind needs and that is not there.
func (f Frame) missing() string {
	switch {
	case f.Kind == KindHello && f.Hello == nil,
		f.Kind == KindInventory && f.Inventory == nil,
		f.Kind == KindLoad && f.Load == nil,
		f.Kind == KindWelcome && f.Welcome == nil,
		f.Kind == KindDesired && f.Desired == nil,
		f.Kind == KindRun && f.Run == nil,
		f.Kind == KindUpdate && f.Update == nil:
		return f.Kind
	case f.Kind == KindRecords && len(f.Records) == 0:
		return "records"
	case (f.Kind == KindRestart || f.Kind == KindCut || f.Kind == KindAdopt) && f.VM == "":
		return "vm"
	case f.Kind == KindPrune && len(f.Files) == 0:
		return "files"
	case (f.Kind == KindApprove || f.Kind == KindCancel) && f.RunID == 0:
		return "run_id"
	}
	return ""
}

// Writer writes frames, each as one line in one Write. Its methods may be
// called from any goroutine.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewWriter writes frames to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes one frame. A frame that would be too long for the peer is an
// error and is not written.
func (w *Writer) Write(f Frame) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b) // ends the line
	e.SetEscapeHTML(false)
	if err := e.Encode(f); err != nil {
		return err
	}
	if b.Len() > MaxLine {
		return fmt.Errorf("a frame of kind %q would be %d bytes long, more than %d", f.Kind, b.Len(), MaxLine)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.w.Write(b.Bytes())
	return err
}
