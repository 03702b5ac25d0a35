package display

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// rig is a display whose terminal is emulated.
type rig struct {
	t    testing.TB
	d    *Display
	em   *vt.SafeEmulator
	text bytes.Buffer // that was sent
}

func newRig(t testing.TB, w, h int) *rig {
	r := &rig{t: t, em: vt.NewSafeEmulator(w, h)}
	go io.Copy(io.Discard, r.em)                                   // what it answers; ends with it
	t.Cleanup(func() { _ = r.em.InputPipe().(io.Closer).Close() }) // its own Close races with its Read
	r.d = New(r, w, h)
	return r
}

func (r *rig) Write(p []byte) (int, error) { r.text.Write(p); return r.em.Write(p) }

func (r *rig) show(content string) {
	r.t.Helper()
	r.d.view, r.d.ready = tea.NewView(content), true
	r.text.Reset()
	if _, err := r.d.draw(); err != nil {
		r.t.Fatal(err)
	}
}

// whole is what a terminal shows that gets all of a frame, line by line.
func whole(t testing.TB, content string, w, h int) string {
	em := vt.NewEmulator(w, h)
	for y, l := range strings.Split(content, "\n") {
		fmt.Fprintf(em, "\x1b[%dH%s\x1b[m", y+1, l)
	}
	return em.Render()
}

// check compares what the terminal shows with the frame.
func (r *rig) check(content string) {
	r.t.Helper()
	if got, want := r.em.Render(), whole(r.t, content, r.d.w, r.d.h); got != want {
		r.t.Fatalf("the terminal shows\n%q\nwanted\n%q", got, want)
	}
}

var (
	words  = []string{"web", " ", "   ", "thinkpad", "1.5 GiB", "●", "✗ failed", "日本", "é", "…", "          ", "👩‍🚀", "─────"}
	styles = []string{"", "", "\x1b[1m", "\x1b[38;5;77m", "\x1b[1;38;5;75;48;5;237m", "\x1b[7m", "\x1b[48;2;33;54;79m"}
)

// someLine is a line of w columns at most.
func someLine(r *rand.Rand, w int) string {
	var b strings.Builder
	for n := 0; ; {
		word := words[r.IntN(len(words))]
		if n += ansi.StringWidth(word); n > w || r.IntN(12) == 0 {
			return b.String()
		}
		if st := styles[r.IntN(len(styles))]; st != "" {
			word = st + word + "\x1b[m"
		}
		b.WriteString(word)
	}
}

// TestFrames draws frames that have little or much in common, and compares with
// a terminal that gets each of them whole.
func TestFrames(t *testing.T) {
	const w, h = 40, 16
	for seed := range uint64(60) {
		r, rnd := newRig(t, w, h), rand.New(rand.NewPCG(seed, 1))
		lines := make([]string, h)
		for range 12 {
			switch by := rnd.IntN(h); rnd.IntN(4) {
			case 0: // all new
				for y := range lines {
					lines[y] = someLine(rnd, w)
				}
			case 1: // some lines go up
				lines = append(lines[by:], lines[:by]...)
				lines[rnd.IntN(h)] = someLine(rnd, w)
			case 2: // those within a frame go down
				copy(lines[3+by/2:h-2], lines[2:])
				lines[2] = someLine(rnd, w)
			default:
				lines[by] = someLine(rnd, w)
			}
			content := strings.Join(lines, "\n")
			r.show(content)
			r.check(content)
		}
	}
}

// TestBytes tells how much is sent for what changes on a screen.
func TestBytes(t *testing.T) {
	rows := make([]string, 30)
	for i := range rows {
		rows[i] = fmt.Sprintf("  vm%04d  \x1b[38;5;77m●\x1b[m running  thinkpad  512 MiB   10.0.0.%d", i, i)
	}
	with := func(at int) string {
		all := append([]string{}, rows...)
		all[at] = "\x1b[1;48;5;237m▌ vm" + all[at][4:9] + "\x1b[m" + all[at][9:]
		return strings.Join(all, "\n")
	}
	r := newRig(t, 80, 30)
	r.show(with(3))
	r.check(with(3))
	for name, test := range map[string]struct {
		to   string
		most int
	}{
		"nothing":          {with(3), 0},
		"the next row":     {with(4), 80},
		"a line further":   {strings.Join(append(rows[1:], "last"), "\n"), 160},
		"a line of blanks": {strings.Join(append([]string{""}, rows[1:]...), "\n"), 60},
	} {
		t.Run(name, func(t *testing.T) {
			r.show(with(3))
			r.show(test.to)
			r.check(test.to)
			if n := r.text.Len(); n > test.most {
				t.Errorf("%d bytes, more than %d", n, test.most)
			}
		})
	}
}

// FuzzFrames draws any text over any other.
func FuzzFrames(f *testing.F) {
	f.Add("a\nb", "b\nc")
	f.Add("日本", "x日")
	f.Add("\x1b[1mx\x1b[m", "\x1b[")
	f.Fuzz(func(t *testing.T, a, b string) {
		d := New(io.Discard, 20, 5)
		for _, content := range []string{a, b, a} {
			d.view, d.ready = tea.NewView(content), true
			if _, err := d.draw(); err != nil {
				t.Fatal(err)
			}
			for _, l := range d.shown.lines {
				if n := len(cellsOf(nil, l, 20)); n != 20 {
					t.Fatalf("%q has %d cells", l, n)
				}
			}
		}
	})
}

// slow is a terminal that takes a write when the test lets it.
type slow struct {
	began chan string   // what is being written
	free  chan struct{} // lets it be
}

func (s slow) Write(p []byte) (int, error) {
	s.began <- string(p)
	<-s.free
	return len(p), nil
}

// text is a model that shows what it was told last.
type text string

func (t text) Init() tea.Cmd { return nil }

func (t text) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if s, ok := msg.(string); ok {
		t = text(s)
	}
	return t, nil
}

func (t text) View() tea.View { return tea.NewView(string(t)) }

// TestSlow: while a frame is on its way the program goes on, and what comes next
// is the newest frame.
func TestSlow(t *testing.T) {
	out := slow{make(chan string), make(chan struct{})}
	d := New(out, 40, 5)
	go d.Run()
	m := d.Model(text("first"))
	m.View()
	if got := <-out.began; !strings.Contains(got, "first") {
		t.Fatalf("%q", got)
	}
	for n := range 1000 {
		m, _ = m.Update(fmt.Sprint("frame ", n))
		m.View()
	}
	out.free <- struct{}{}
	if got := <-out.began; !strings.Contains(got, "999") {
		t.Errorf("after the first frame came %q", got)
	}
	out.free <- struct{}{}
	go d.Close()
	if got := <-out.began; got != leave {
		t.Errorf("it ended with %q", got)
	}
	out.free <- struct{}{}
}

// TestLent: what is drawn while somebody else has the terminal is seen when it
// is back, whole.
func TestLent(t *testing.T) {
	r := newRig(t, 20, 3)
	m := r.d.Model(text("one"))
	steps := []struct {
		do   func()
		want string // is contained in what is sent
		none bool   // nothing is sent
	}{
		{do: func() { m.View() }, want: "one"},
		{do: func() { m.View() }, none: true},
		{do: r.d.Lend, want: leave},
		{do: func() { m, _ = m.Update("two"); m.View() }, none: true},
		{do: r.d.Return, want: enter},
		{do: func() { m, _ = m.Update(redraw{}); m.View() }, want: "two"},
		{do: func() { m, _ = m.Update(write("\a")); m.View() }, want: "\a"},
		{do: func() { m, _ = m.Update(tea.WindowSizeMsg{Width: 30, Height: 4}); m.View() }, want: ansi.EraseEntireScreen},
		{do: func() {
			m, _ = m.Update(tea.ModeReportMsg{Mode: ansi.ModeSynchronizedOutput, Value: ansi.ModeReset})
			m.View()
		}, none: true},
		{do: func() { m, _ = m.Update("three"); m.View() }, want: ansi.SetModeSynchronizedOutput},
	}
	for i, step := range steps {
		r.text.Reset()
		step.do()
		if _, err := r.d.draw(); err != nil {
			t.Fatal(err)
		}
		if got := r.text.String(); !strings.Contains(got, step.want) || step.none && got != "" {
			t.Errorf("step %d sent %q, wanted %q", i, got, step.want)
		}
	}
}
