package wire

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"homelab/model"
)

func TestFramesComeThroughWhole(t *testing.T) {
	frames := []Frame{
		{Kind: KindHello, Hello: &Hello{Version: 1, Spool: "s", Unfinished: []uint64{3}}},
		{Kind: KindRecords, Records: []model.Record{{Seq: 1, Run: 2, Message: "a\n\"b\" <c> \u2028"}}},
		{Kind: KindWelcome, Welcome: &Welcome{Version: 1, Ack: 7}},
		{Kind: KindDesired, Desired: &Desired{}},
		{Kind: KindRun, Run: &Run{ID: 1, Announced: model.Announced{Domains: []string{"x"}}}},
		{Kind: KindResult, Order: 4, Error: strings.Repeat("e", 100_000)},
		{Kind: KindPing},
	}
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, f := range frames {
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(&b)
	for _, want := range frames {
		got, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	if _, err := r.Read(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestBadFrames(t *testing.T) {
	cases := map[string]string{
		"{\"kind\":\"hello\"}\n":   `without "hello"`,
		"{\"kind\":\"records\"}\n": `without "records"`,
		"{\"kind\":\"adopt\"}\n":   `without "vm"`,
		"nonsense\n":               "malformed",
		"{\"kind\":\"ping\"}":      "unexpected EOF",
		"{\"kind\":\"" + strings.Repeat("x", MaxLine) + "\"}": "longer than",
	}
	for in, want := range cases {
		if _, err := NewReader(strings.NewReader(in)).Read(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", in, err, want)
		}
	}
}

func TestUnknownKindIsNotFatal(t *testing.T) {
	r := NewReader(strings.NewReader("{\"kind\":\"sing\",\"run\":3}\n{\"kind\":\"ping\",\"new\":1}\n"))
	_, err := r.Read()
	var unknown *UnknownKindError
	if !errors.As(err, &unknown) || unknown.Kind != "sing" || unknown.Refusal().Kind != KindError {
		t.Fatalf("error %v", err)
	}
	if f, err := r.Read(); err != nil || f.Kind != KindPing {
		t.Fatalf("the frame after it: %v %v", f, err)
	}
}

func TestTooLongIsNotWritten(t *testing.T) {
	var b bytes.Buffer
	if err := NewWriter(&b).Write(Frame{Kind: KindError, Error: strings.Repeat("x", MaxLine)}); err == nil || b.Len() != 0 {
		t.Errorf("error %v, %d bytes written", err, b.Len())
	}
}

// FuzzFrames reads whatever a peer may send: no panic, no more than one line
// in memory, and what was understood can be said again.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("{\"kind\":\"ping\"}\n{\"kind\":\"ack\",\"ack\":3}\n"))
	f.Add([]byte("{\"kind\":\"records\",\"records\":[{\"seq\":1,\"run\":2,\"resource\":{\"address\":\"a\"}}]}\n"))
	f.Add([]byte("{\"kind\":\"run\",\"run\":{\"id\":1,\"announced\":{\"disks\":[{\"vm\":\"x\"}]}}}\nx"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in))
		for range len(in) + 1 {
			frame, err := r.Read()
			var unknown *UnknownKindError
			if errors.As(err, &unknown) {
				continue
			}
			if err != nil {
				return
			}
			var b bytes.Buffer
			if err := NewWriter(&b).Write(frame); err != nil {
				continue // grew over the limit by being written out in full
			}
			again, err := NewReader(&b).Read()
			if err != nil {
				t.Fatalf("%v: %q", err, b.String())
			}
			if d := cmp.Diff(frame, again); d != "" {
				t.Fatal(d)
			}
		}
	})
}

// FuzzToken: whatever is pasted is a token that is written the same again, or
// none.
func FuzzToken(f *testing.F) {
	f.Add(Token{Address: "h:22", Fingerprint: "SHA256:x", Seed: make([]byte, ed25519.SeedSize)}.String())
	f.Add("homelab agent --join " + tokenPrefix)
	f.Add(tokenPrefix + "e30")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			return
		}
		again, err := ParseToken(token.String())
		if err != nil || !cmp.Equal(token, again) || len(token.Key()) != ed25519.PrivateKeySize {
			t.Fatalf("%q is %+v and then %+v: %v", text, token, again, err)
		}
	})
}

// FuzzHostKeys: a list of host keys reads as it was written, and is never long.
func FuzzHostKeys(f *testing.F) {
	f.Add(JoinStrings([][]byte{[]byte("one"), nil, []byte("three")}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, payload []byte) {
		parts, err := SplitStrings(payload)
		if err == nil && (len(parts) > maxHostKeys || !bytes.Equal(JoinStrings(parts), payload)) {
			t.Fatalf("%q became %q", payload, parts)
		}
	})
}
