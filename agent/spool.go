package agent

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/google/renameio/v2"

	"homelab/model"
)

// compactAt is the size of acknowledged records, in bytes, at which the
// spool's file is written anew without them.
const compactAt = 1 << 20

// spool keeps what the agent says about runs until the server has committed
// it: numbered records in a file that is only appended to. A record that was
// written survives the agent's death; one that was sent is on the disk.
//
// Its methods may be called from any goroutine.
type spool struct {
	path string

	mu      sync.Mutex
	file    *os.File
	id      string
	first   uint64   // number of lines[0]
	lines   [][]byte // that the server has not acknowledged, newline included
	dropped int      // bytes in the file that are acknowledged
	dirty   bool     // written and not synced
	err     error    // the first that made the file unusable

	wake   chan struct{} // there is more to send
	broken chan struct{} // closed when err is set
}

// spoolHead is the file's first line.
type spoolHead struct {
	Spool string `json:"spool"` // random identity
	After uint64 `json:"after"` // number of the record before the first in the file
}

// openSpool opens the spool at path or makes a new one. A last line that was
// not written whole is dropped. A file damaged otherwise is put aside, said by
// the second result, and a new spool with a new identity takes its place; it
// begins with the records that could be read.
func openSpool(path string) (*spool, string, error) {
	s := &spool{path: path, wake: make(chan struct{}, 1), broken: make(chan struct{})}
	note := ""
	size, err := s.read()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return s, "", s.renew()
	case err != nil:
		note = fmt.Sprintf("the spool was damaged (%v) and was put aside as %s.damaged: the log of the last run may have a gap", err, path)
		if err := os.Rename(path, path+".damaged"); err != nil {
			return nil, "", err
		}
		return s, note, s.renew()
	}
	if s.file, err = os.OpenFile(path, os.O_WRONLY, 0o600); err != nil {
		return nil, "", err
	}
	if err := s.file.Truncate(size); err != nil {
		return nil, "", err
	}
	_, err = s.file.Seek(size, io.SeekStart)
	s.dirty = true // its writer may have died before it synced
	return s, note, err
}

// read loads the file; it returns the size of its whole lines.
func (s *spool) read() (int64, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	line, err := r.ReadBytes('\n')
	var head spoolHead
	if err != nil || json.Unmarshal(line, &head) != nil || head.Spool == "" {
		return 0, errors.New("its first line cannot be read")
	}
	s.id, s.first, s.lines = head.Spool, head.After+1, nil
	size := int64(len(line))
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return size, nil // with or without a torn line
		}
		if err != nil {
			return 0, err
		}
		var rec model.Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return 0, fmt.Errorf("record %d cannot be read", s.last()+1)
		}
		if rec.Seq != s.last()+1 {
			return 0, fmt.Errorf("record %d follows record %d", rec.Seq, s.last())
		}
		s.lines = append(s.lines, line)
		size += int64(len(line))
	}
}

// renew gives the spool a new identity and numbers what it holds from 1 on.
func (s *spool) renew() error {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	s.id, s.first = hex.EncodeToString(id[:]), 1
	for i, line := range s.lines {
		var rec model.Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return err
		}
		rec.Seq = uint64(i) + 1
		line, err := json.Marshal(rec)
		if err != nil {
			return err
		}
		s.lines[i] = append(line, '\n')
	}
	return s.rewrite()
}

// rewrite replaces the file by one that holds the unacknowledged records.
func (s *spool) rewrite() error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(spoolHead{s.id, s.first - 1}); err != nil {
		return err
	}
	for _, line := range s.lines {
		b.Write(line)
	}
	if err := renameio.WriteFile(s.path, b.Bytes(), 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if s.file != nil {
		s.file.Close()
	}
	s.file, s.dropped, s.dirty = f, 0, false
	return nil
}

func (s *spool) last() uint64 { return s.first + uint64(len(s.lines)) - 1 }

// ID is the spool's identity.
func (s *spool) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// Last is the number of the last record, 0 if there was none yet.
func (s *spool) Last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last()
}

// Pending counts the records that are not acknowledged.
func (s *spool) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines)
}

// Append numbers a record and writes it. Errors are kept: see Broken.
func (s *spool) Append(rec model.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	rec.Seq = s.last() + 1
	line, err := json.Marshal(rec)
	if err != nil {
		s.fail(err)
		return
	}
	line = append(line, '\n')
	if _, err := s.file.Write(line); err != nil {
		s.fail(err)
		return
	}
	s.lines, s.dirty = append(s.lines, line), true
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Sync puts everything written on the disk.
func (s *spool) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sync()
}

func (s *spool) sync() error {
	if s.err != nil || !s.dirty {
		return s.err
	}
	if err := s.file.Sync(); err != nil {
		s.fail(err)
		return err
	}
	s.dirty = false
	return nil
}

func (s *spool) fail(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("cannot keep the log in %s: %w", s.path, err)
		close(s.broken)
	}
}

// Broken is closed when the spool cannot keep records any more; Err says why.
func (s *spool) Broken() <-chan struct{} { return s.broken }

// Err is why the spool is broken.
func (s *spool) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Wake receives after records were appended.
func (s *spool) Wake() <-chan struct{} { return s.wake }

// After returns records that follow number seq, at most about max bytes of
// them and at least one if there is one, all of them on the disk.
func (s *spool) After(seq uint64, max int) ([]model.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.sync(); err != nil {
		return nil, err
	}
	if seq+1 < s.first || seq > s.last() {
		return nil, fmt.Errorf("the spool holds records %d to %d, not those after %d", s.first, s.last(), seq)
	}
	var records []model.Record
	size := 0
	for _, line := range s.lines[seq+1-s.first:] {
		if size += len(line); size > max && records != nil {
			break
		}
		var rec model.Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return records, nil
}

// Ack drops the records up to seq: the server has committed them.
func (s *spool) Ack(seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || seq < s.first {
		return s.err
	}
	if seq > s.last() {
		return fmt.Errorf("the server acknowledges record %d, and the last one was %d", seq, s.last())
	}
	for s.first <= seq {
		s.dropped += len(s.lines[0])
		s.lines[0] = nil
		s.lines, s.first = s.lines[1:], s.first+1
	}
	if s.dropped >= compactAt {
		return s.rewrite()
	}
	return nil
}

// Align prepares for a server that has committed the records up to ack. It
// returns false if that does not fit what the spool holds (one of the two was
// restored from a backup): the spool has a new identity then, and the
// conversation must begin again.
func (s *spool) Align(ack uint64) (bool, error) {
	s.mu.Lock()
	fits := ack+1 >= s.first && ack <= s.last()
	if !fits {
		defer s.mu.Unlock()
		return false, s.renew()
	}
	s.mu.Unlock()
	return true, s.Ack(ack)
}

// Close syncs and closes the file.
func (s *spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.sync()
	return errors.Join(err, s.file.Close())
}
