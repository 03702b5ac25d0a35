package salt

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if helper := os.Getenv("SALT_TEST_HELPER"); helper != "" {
		follow(helper)
		return
	}
	goleak.VerifyTestMain(m)
}

// fake is a master that is a folder: see testdata/bin/play.
type fake struct {
	t   *testing.T
	dir string
	bin string
	Master
}

func newFake(t *testing.T) *fake {
	t.Helper()
	bin, err := filepath.Abs("testdata/bin")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, dir: t.TempDir(), bin: bin}
	f.Master = Master{Name: "pi", PKI: filepath.Join(f.dir, "pki"), Reach: f.env()}
	for _, dir := range []string{"minions", "minions_pre", "minions_rejected", "minions_denied"} {
		if err := os.MkdirAll(filepath.Join(f.dir, "pki", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f.write("events", "")
	return f
}

// env is the beginning of a command line that finds the fakes.
func (f *fake) env() []string {
	return []string{"env", "SALT_FAKE=" + f.dir, "PATH=" + f.bin + ":/usr/bin:/bin"}
}

func (f *fake) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fake) append(name, text string) {
	f.t.Helper()
	file, err := os.OpenFile(filepath.Join(f.dir, name), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		f.t.Fatal(err)
	}
}

// play has a fake play a recording.
func (f *fake) play(name, recording string) {
	f.t.Helper()
	f.write(name+".stdout", record(f.t, recording+".stdout"))
	stderr, _ := os.ReadFile("testdata/records/" + recording + ".stderr")
	f.write(name+".stderr", string(stderr))
	rc := regexp.MustCompile(`(?m)^rc: (\d+)$`).FindStringSubmatch(record(f.t, recording+".meta"))
	if rc == nil {
		f.t.Fatalf("%s.meta has no exit status", recording)
	}
	f.write(name+".rc", rc[1])
}

// argv are the command lines that the fakes got.
func (f *fake) argv() [][]string {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, "argv"))
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	var all [][]string
	for line := range bytes.Lines(b) {
		words := strings.Split(strings.TrimSuffix(string(line), "\x1f\n"), "\x1f")
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "\x1e", "\n")
		}
		all = append(all, words)
	}
	return all
}

// key puts a public key into one of the master's folders.
func (f *fake) key(folder, id, public string) {
	f.t.Helper()
	f.write(filepath.Join("pki", folder, id), public)
}

func record(t *testing.T, name string) string { return mustRecord(t, name) }

func mustRecord(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/records/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
