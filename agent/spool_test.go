package agent

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"homelab/model"
)

func mustOpen(t testing.TB, path string) *spool {
	t.Helper()
	s, note, err := openSpool(path)
	if err != nil {
		t.Fatal(err)
	}
	if note != "" {
		t.Log(note)
	}
	return s
}

func TestSpoolKeepsWhatWasNotAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := mustOpen(t, path)
	id := s.ID()
	for i := range 5 {
		s.Append(model.Record{Run: 1, Message: fmt.Sprint(i)})
	}
	if err := s.Ack(2); err != nil {
		t.Fatal(err)
	}
	if err := s.Ack(9); err == nil {
		t.Error("an acknowledgement of what was never written was taken")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	defer s.Close()
	if s.ID() != id || s.Last() != 5 {
		t.Errorf("spool %s up to %d, want %s up to 5", s.ID(), s.Last(), id)
	}
	records, err := s.After(2, 1<<20)
	if err != nil || len(records) != 3 || records[0].Seq != 3 || records[2].Message != "4" {
		t.Errorf("%v %v", records, err)
	}
	if records, err = s.After(2, 1); err != nil || len(records) != 1 {
		t.Errorf("a small batch: %v %v", records, err)
	}
}

func TestSpoolDropsATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := mustOpen(t, path)
	id := s.ID()
	s.Append(model.Record{Message: "whole"})
	s.Append(model.Record{Message: "torn"})
	s.Close()
	b, _ := os.ReadFile(path)
	if err := os.WriteFile(path, b[:len(b)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	s.Append(model.Record{Message: "next"})
	s.Close()
	s = mustOpen(t, path)
	defer s.Close()
	records, err := s.After(0, 1<<20)
	if err != nil || len(records) != 2 || records[1].Message != "next" || records[1].Seq != 2 || s.ID() != id {
		t.Errorf("%v %v", records, err)
	}
}

func TestSpoolPutsADamagedFileAside(t *testing.T) {
	for name, c := range map[string]struct {
		damage func([]byte) []byte
		kept   uint64 // records that can be read
	}{
		"first line":  {func(b []byte) []byte { return b[10:] }, 0},
		"middle line": {func(b []byte) []byte { return bytes.Replace(b, []byte(`"seq":2`), []byte(`"seq":x`), 1) }, 1},
		"lost line":   {func(b []byte) []byte { return bytes.Replace(b, []byte(`"seq":2`), []byte(`"seq":7`), 1) }, 1},
		"empty":       {func([]byte) []byte { return nil }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "spool")
			s := mustOpen(t, path)
			id := s.ID()
			for range 3 {
				s.Append(model.Record{Run: 1})
			}
			s.Close()
			b, _ := os.ReadFile(path)
			if err := os.WriteFile(path, c.damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			s, note, err := openSpool(path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if s.ID() == id || s.Last() != c.kept || !strings.Contains(note, "damaged") {
				t.Errorf("spool %s up to %d, note %q", s.ID(), s.Last(), note)
			}
		})
	}
}

// The server may know less or more than fits: it was restored from a backup,
// or the agent was. A new spool begins, and nothing that is left is lost.
func TestSpoolAlign(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "spool"))
	defer s.Close()
	for i := range 5 {
		s.Append(model.Record{Message: fmt.Sprint(i)})
	}
	if ok, err := s.Align(3); !ok || err != nil {
		t.Fatal(ok, err)
	}
	id := s.ID()
	if ok, err := s.Align(1); ok || err != nil || s.ID() == id {
		t.Fatal(ok, err)
	}
	records, err := s.After(0, 1<<20)
	if err != nil || len(records) != 2 || records[0].Seq != 1 || records[0].Message != "3" {
		t.Errorf("%v %v", records, err)
	}
	id = s.ID()
	if ok, err := s.Align(77); ok || err != nil || s.ID() == id {
		t.Error(ok, err)
	}
}

func TestSpoolCompacts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := mustOpen(t, path)
	defer s.Close()
	text := strings.Repeat("x", 10_000)
	for range 3 * compactAt / len(text) {
		s.Append(model.Record{Message: text})
		if err := s.Ack(s.Last()); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > compactAt+20_000 {
		t.Errorf("%d bytes: %v", info.Size(), err)
	}
}

// Whatever is appended, acknowledged, and cut off by crashes: records are
// numbered without gaps, and none that was handed out to be sent is lost.
func TestSpoolProperty(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, strconv.Itoa(n))
		s, _, err := openSpool(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { s.Close() }()
		var sent, acked uint64
		said := map[uint64]string{}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) { s.Append(model.Record{Message: rapid.String().Draw(t, "text")}) },
			"send": func(t *rapid.T) {
				records, err := s.After(acked, rapid.IntRange(1, 500).Draw(t, "max"))
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range records {
					if text, ok := said[r.Seq]; ok && text != r.Message {
						t.Fatalf("record %d was %q and is %q", r.Seq, text, r.Message)
					}
					said[r.Seq] = r.Message
					sent = max(sent, r.Seq)
				}
			},
			"ack": func(t *rapid.T) {
				acked = rapid.Uint64Range(acked, sent).Draw(t, "ack")
				if err := s.Ack(acked); err != nil {
					t.Fatal(err)
				}
			},
			"crash": func(t *rapid.T) {
				s.file.Close()
				if s, _, err = openSpool(path); err != nil {
					t.Fatal(err)
				}
				if s.Last() < sent {
					t.Fatalf("%d was sent and %d is the last", sent, s.Last())
				}
			},
		})
	})
}

// A process that is killed while it appends leaves a spool with everything
// that it had been told was kept.
func TestSpoolSurvivesKill(t *testing.T) {
	if path := os.Getenv("SPOOL_TEST"); path != "" {
		s := mustOpen(t, path)
		for i := s.Last(); ; i++ {
			s.Append(model.Record{Message: fmt.Sprintf("record %d %s", i+1, strings.Repeat("x", int(i%300)))})
			fmt.Println(i + 1)
		}
	}
	path := filepath.Join(t.TempDir(), "spool")
	told := uint64(0)
	for round := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSpoolSurvivesKill$")
		cmd.Env = append(os.Environ(), "SPOOL_TEST="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		sc := bufio.NewScanner(out)
		for n := 0; sc.Scan(); n++ {
			if v, err := strconv.ParseUint(sc.Text(), 10, 64); err == nil {
				told = v
			}
			if n == 200+37*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		s := mustOpen(t, path)
		if s.Last() < told {
			t.Fatalf("record %d was kept and %d is the last", told, s.Last())
		}
		records, err := s.After(0, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range records {
			if !strings.HasPrefix(r.Message, fmt.Sprintf("record %d ", i+1)) {
				t.Fatalf("record %d is %q", i+1, r.Message)
			}
		}
		s.Close()
	}
}
