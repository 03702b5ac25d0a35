package salt

import (
	"bytes"
	"encoding/json"
	"strings"
)

// splitter finds the JSON in what Salt prints: documents one after the other,
// in one line or in many, with prose between them. A document begins with a
// line that begins with { or is one JSON string.
type splitter struct {
	doc    func([]byte) // gets each document
	prose  []string
	line   []byte // not yet ended
	buf    []byte // the document under way
	depth  int
	quoted bool
	escape bool
}

// Write takes the next bytes; it never fails.
func (s *splitter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			s.line = append(s.line, p...)
			return n, nil
		}
		s.feed(append(s.line, p[:i]...))
		s.line, p = nil, p[i+1:]
	}
}

// Close takes what has no line end, and returns what is left of a document
// that was cut.
func (s *splitter) Close() (cut []byte) {
	s.feed(s.line)
	s.line = nil
	return s.buf
}

func (s *splitter) feed(line []byte) {
	if s.buf == nil {
		text := bytes.TrimSpace(line)
		switch {
		case len(text) == 0:
			return
		case text[0] == '"' && json.Valid(text):
			s.doc(text)
			return
		case text[0] != '{':
			s.prose = append(s.prose, string(text))
			return
		}
	}
	s.buf = append(append(s.buf, line...), '\n')
	for _, c := range line {
		s.count(c)
	}
	if s.depth <= 0 {
		if doc := bytes.TrimSpace(s.buf); json.Valid(doc) {
			s.doc(doc)
		} else {
			s.prose = append(s.prose, string(doc))
		}
		s.buf, s.depth, s.quoted, s.escape = nil, 0, false, false
	}
}

func (s *splitter) count(c byte) {
	switch {
	case s.escape:
		s.escape = false
	case s.quoted && c == '\\':
		s.escape = true
	case c == '"':
		s.quoted = !s.quoted
	case s.quoted:
	case c == '{' || c == '[':
		s.depth++
	case c == '}' || c == ']':
		s.depth--
	}
}

// documents are the JSON objects in an answer. A string, which Salt prints
// when its master is down, comes as trouble.
func documents(stdout []byte) (objects [][]byte, trouble string, prose string) {
	s := splitter{doc: func(b []byte) {
		var text string
		if json.Unmarshal(b, &text) == nil {
			trouble = lastLine(text)
			return
		}
		objects = append(objects, bytes.Clone(b))
	}}
	_, _ = s.Write(stdout)
	if cut := s.Close(); cut != nil && trouble == "" {
		trouble = "its answer was cut"
	}
	return objects, trouble, strings.Join(s.prose, "\n")
}

// lastLine is what a traceback ends with, without the advice after it.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	line, _, _ = strings.Cut(line, " You may need to run your command with")
	return clip(strings.TrimPrefix(line, "salt.exceptions.SaltClientError: "))
}

// one is the single object that a runner or salt-key answers with.
func (m Master) one(a answer, into any, words ...string) error {
	objects, trouble, _ := documents(a.stdout)
	if trouble != "" {
		return m.failed(words, trouble)
	}
	if len(objects) == 0 {
		return m.failed(words, said(a))
	}
	if err := json.Unmarshal(objects[len(objects)-1], into); err != nil {
		return m.failed(words, "its answer is not understood: "+err.Error())
	}
	return nil
}
