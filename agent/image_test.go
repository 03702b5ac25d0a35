package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// origin of test images: a server that can be as bad as those out there.
type imageServer struct {
	*httptest.Server
	mu     sync.Mutex
	data   []byte
	etag   string
	ranges bool
	// plan is how each request is answered in its turn; after its end, well.
	plan  []func(w http.ResponseWriter, r *http.Request)
	asked []string // the Range of each request
}

func newImageServer(t *testing.T) *imageServer {
	t.Helper()
	patienceOfTests(t)
	data := append([]byte("QFI\xfb\x00\x00\x00\x03"), bytes.Repeat([]byte{0}, 72)...)
	for i := range 512 << 10 {
		data = append(data, byte(i), byte(i>>8))
	}
	s := &imageServer{data: data, etag: `"one"`, ranges: true}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// patienceOfTests lets nothing be waited for long.
func patienceOfTests(t *testing.T) {
	stall, pause := stallTime, fetchPause
	stallTime, fetchPause = 2*time.Second, time.Millisecond
	t.Cleanup(func() { stallTime, fetchPause = stall, pause })
}

func (s *imageServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Header.Get("Range"))
	var answer func(http.ResponseWriter, *http.Request)
	if len(s.plan) > 0 {
		answer, s.plan = s.plan[0], s.plan[1:]
	}
	s.mu.Unlock()
	if answer == nil {
		answer = s.well
	}
	answer(w, r)
}

func (s *imageServer) well(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", s.etag)
	if !s.ranges {
		r.Header.Del("Range")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.data))
}

// cut sends so many bytes of those, promises as many as claimed, and cuts the
// connection.
func cut(data []byte, etag string, claimed int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Length: %d\r\n\r\n", etag, claimed)
		_, _ = conn.Write(data)
		conn.Close()
	}
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func (s *imageServer) sha512() string {
	sum := sha512.Sum512(s.data)
	return "sha512:" + hex.EncodeToString(sum[:])
}

// heard is what a fetch told.
type heard struct {
	lines []string
	steps []model.Resource
}

func (h *heard) say(format string, args ...any) {
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}
func (h *heard) warn(format string, args ...any) { h.say(format, args...) }
func (h *heard) record(r model.Record) {
	if r.Message != "" {
		h.lines = append(h.lines, r.Message)
	}
	if r.Resource != nil {
		h.steps = append(h.steps, *r.Resource)
	}
}

func (h *heard) text() string { return strings.Join(h.lines, "\n") }

// pool is a folder that an image is fetched into.
type testPool struct {
	t   *testing.T
	dir string
	heard
}

func newTestPool(t *testing.T) *testPool { return &testPool{t: t, dir: t.TempDir()} }

func (p *testPool) dest() string { return filepath.Join(p.dir, "debian.qcow2") }

func (p *testPool) fetch(ctx context.Context, img wire.Image) error {
	img.Name = "debian"
	return (&fetcher{img: img, dest: p.dest(), j: p}).put(ctx)
}

// holds fails unless the pool has the image and nothing else.
func (p *testPool) holds(data []byte) {
	p.t.Helper()
	if b, err := os.ReadFile(p.dest()); err != nil || !bytes.Equal(b, data) {
		p.t.Errorf("%d bytes, %v\n%s", len(b), err, p.text())
	}
	p.entries(1)
	if info, err := os.Stat(p.dest()); err != nil || info.Mode() != 0o644 {
		p.t.Errorf("mode %v, %v", info, err)
	}
	if last := p.steps[len(p.steps)-1]; last.Status != model.ResourceDone || last.Action != model.ActionFetch {
		p.t.Errorf("the last step is %+v", last)
	}
}

func (p *testPool) entries(n int) {
	p.t.Helper()
	if entries, err := os.ReadDir(p.dir); err != nil || len(entries) != n {
		p.t.Errorf("in the pool: %v, %v", entries, err)
	}
}

func TestDownload(t *testing.T) {
	half := func(s *imageServer) []byte { return s.data[:len(s.data)/2] }
	tests := []struct {
		name  string
		setUp func(s *imageServer, img *wire.Image)
		asked []string // the beginnings of ranges; "" is none
		told  string
		fails string
	}{
		{"whole", func(*imageServer, *wire.Image) {}, []string{""}, "fetching image", ""},
		{"cut", func(s *imageServer, _ *wire.Image) {
			s.plan = append(s.plan, cut(half(s), s.etag, len(s.data)))
		}, []string{"", "half"}, "going on from", ""},
		{"no ranges", func(s *imageServer, _ *wire.Image) {
			s.ranges, s.plan = false, append(s.plan, cut(half(s), s.etag, len(s.data)))
		}, []string{"", "half"}, "sends it from the beginning", ""},
		{"other content after the cut", func(s *imageServer, _ *wire.Image) {
			s.plan = append(s.plan, cut(half(s), `"older"`, len(s.data)))
		}, []string{"", "half"}, "sends it from the beginning", ""},
		{"parts that do not go together", func(s *imageServer, _ *wire.Image) {
			s.plan = append(s.plan, cut(bytes.Repeat([]byte("x"), len(s.data)/2), s.etag, len(s.data)))
		}, []string{"", "half", ""}, "fetched anew", ""},
		{"nothing that names the content", func(s *imageServer, _ *wire.Image) {
			s.plan = append(s.plan, cut(half(s), "", len(s.data)))
		}, []string{"", ""}, "from byte 0", ""},
		{"a moment's trouble", func(s *imageServer, _ *wire.Image) {
			s.plan = append(s.plan, status(503), status(429), status(500))
		}, []string{"", "", "", ""}, "503", ""},
		{"trouble", func(s *imageServer, _ *wire.Image) {
			for range fetchTries {
				s.plan = append(s.plan, status(503))
			}
		}, []string{"", "", "", "", ""}, "", "503"},
		{"not found", func(s *imageServer, _ *wire.Image) { s.plan = append(s.plan, status(404)) }, []string{""}, "", "is the image's URL right?"},
		{"redirect", func(s *imageServer, img *wire.Image) {
			s.plan = append(s.plan, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/mirror/x", http.StatusFound) })
		}, []string{"", ""}, "", ""},
		{"redirects without end", func(s *imageServer, _ *wire.Image) {
			for range 20 {
				s.plan = append(s.plan, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) })
			}
		}, []string{"", "", "", "", "", "", "", "", "", ""}, "", "more than ten times"},
		{"no length", func(s *imageServer, _ *wire.Image) {
			s.plan = append(s.plan, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(s.data[:100])
				w.(http.Flusher).Flush()
				_, _ = w.Write(s.data[100:])
			})
		}, []string{""}, "", ""},
		{"a length that is too long", func(s *imageServer, _ *wire.Image) {
			for range fetchTries * 2 {
				s.plan = append(s.plan, cut(s.data, s.etag, len(s.data)+100))
			}
		}, nil, "", "the connection broke"},
		{"a length that is too short", func(s *imageServer, _ *wire.Image) {
			s.plan = append(s.plan, cut(s.data, s.etag, len(s.data)-100))
		}, []string{""}, "", "checksum"},
		{"stalled", func(s *imageServer, _ *wire.Image) {
			stallTime = 50 * time.Millisecond
			s.plan = append(s.plan, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(len(s.data)))
				w.Header().Set("ETag", s.etag)
				_, _ = w.Write(half(s))
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			})
		}, []string{"", "some"}, "nothing came for too long", ""},
		{"wrong checksum", func(_ *imageServer, img *wire.Image) { img.Checksum = "sha256:" + strings.Repeat("0", 64) }, []string{""}, "", "nothing of it was kept"},
		{"a list", func(s *imageServer, img *wire.Image) {
			_, digits, _ := strings.Cut(img.Checksum, ":")
			img.Checksum = s.URL + "/SHA512SUMS"
			s.plan = append(s.plan, func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, "%s *debian.qcow2\n%0128d  other\n", digits, 1)
			})
		}, []string{"", ""}, "its publisher says sha512:", ""},
		{"a list without it", func(s *imageServer, img *wire.Image) {
			img.Checksum = s.URL + "/SHA512SUMS"
			s.plan = append(s.plan, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%0128d  other\n%0128d  another\n", 1, 2) })
		}, []string{""}, "", "has no checksum of debian.qcow2"},
		{"a list that is gone", func(s *imageServer, img *wire.Image) {
			img.Checksum, s.plan = s.URL+"/SHA512SUMS", append(s.plan, status(404))
		}, []string{""}, "", "its checksum cannot be had"},
		{"unverified", func(_ *imageServer, img *wire.Image) { img.Checksum = "none" }, []string{""}, "nothing verifies what comes", ""},
		{"a page of HTML", func(s *imageServer, img *wire.Image) {
			img.Checksum, s.data = "none", []byte("<html>log in first</html>")
		}, []string{""}, "", "no disk image"},
		{"larger than the disk", func(s *imageServer, _ *wire.Image) {
			s.plan = append(s.plan, cut(half(s), s.etag, 1<<60))
		}, []string{""}, "", "it needs 1152921504606846976 more bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newImageServer(t)
			p := newTestPool(t)
			img := wire.Image{URL: s.URL + "/images/debian.qcow2?key=secret", Checksum: s.sha512()}
			tt.setUp(s, &img)
			err := p.fetch(t.Context(), img)
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
				t.Errorf("error %v, wanted %q\n%s", err, tt.fails, p.text())
			}
			if err == nil {
				p.holds(s.data)
			} else if tt.name != "a length that is too long" { // of which what came is kept
				p.entries(0)
			}
			if !strings.Contains(p.text(), tt.told) {
				t.Errorf("it told\n%s", p.text())
			}
			if strings.Contains(p.text()+fmt.Sprint(err), "secret") {
				t.Errorf("it told the key: %v\n%s", err, p.text())
			}
			s.checkAsked(t, tt.asked)
		})
	}
}

// checkAsked compares the ranges that were asked for: half is the second half,
// some is any.
func (s *imageServer) checkAsked(t *testing.T, want []string) {
	t.Helper()
	if want == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := len(want) == len(s.asked)
	for i := range min(len(want), len(s.asked)) {
		switch want[i] {
		case "half":
			ok = ok && s.asked[i] == fmt.Sprintf("bytes=%d-", len(s.data)/2)
		case "some":
			ok = ok && strings.HasPrefix(s.asked[i], "bytes=")
		default:
			ok = ok && s.asked[i] == want[i]
		}
	}
	if !ok {
		t.Errorf("asked for %q, wanted %q", s.asked, want)
	}
}

// What an agent has fetched when it is stopped, the next one goes on with; the
// file that was complete already is not asked for again.
func TestDownloadGoesOnInTheNextRun(t *testing.T) {
	s := newImageServer(t)
	p := newTestPool(t)
	img := wire.Image{URL: s.URL + "/debian.qcow2", Checksum: s.sha512()}
	ctx, cancel := context.WithCancelCause(t.Context())
	s.plan = append(s.plan, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(s.data)))
		w.Header().Set("ETag", s.etag)
		_, _ = w.Write(s.data[:len(s.data)/2])
		w.(http.Flusher).Flush()
		for have := int64(0); have < int64(len(s.data)/2) && r.Context().Err() == nil; {
			if info, err := os.Stat(string(partialOf(p.dest()))); err == nil {
				have = info.Size()
			}
		}
		cancel(errStopped)
		<-r.Context().Done()
	})
	if err := p.fetch(ctx, img); !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	if last := p.steps; len(last) > 0 && last[len(last)-1].Status == model.ResourceFailed {
		t.Error("the step failed, though it goes on later")
	}
	if err := p.fetch(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	p.holds(s.data)
	s.checkAsked(t, []string{"", "half"})

	part := partialOf(p.dest())
	if err := errors.Join(os.Rename(p.dest(), string(part)), part.Note(origin{URL: img.URL, Validator: s.etag, Total: int64(len(s.data))})); err != nil {
		t.Fatal(err)
	}
	if err := p.fetch(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	p.holds(s.data)
	s.checkAsked(t, []string{"", "half"})
}

// A disk that fills up during a fetch is told, and gets its room back.
func TestDownloadFillsTheDisk(t *testing.T) {
	s := newImageServer(t)
	p := newTestPool(t)
	p.dir = filepath.Join(t.TempDir(), "small")
	if err := mountTmpfs(p.dir, 16); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := unmount(p.dir); err != nil {
			t.Error(err)
		}
	})
	free, err := freeBytes(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	s.data = append(s.data, make([]byte, 32<<20)...)
	img := wire.Image{URL: s.URL + "/debian.qcow2", Checksum: s.sha512()}
	s.plan = append(s.plan, func(w http.ResponseWriter, _ *http.Request) { // without a length
		for at := 0; at < len(s.data); at += 1 << 20 {
			_, _ = w.Write(s.data[at:min(at+1<<20, len(s.data))])
		}
	})
	for _, want := range []string{"its size is not known before", fmt.Sprintf("it needs %d more bytes (33.0 MiB) and %d (16.0 MiB) are free", len(s.data), free)} {
		if err := p.fetch(t.Context(), img); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, wanted %q", err, want)
		}
		p.entries(0)
		if now, err := freeBytes(p.dir); err != nil || now != free {
			t.Errorf("%d bytes are free, %d were: %v", now, free, err)
		}
	}
}

func TestFindChecksum(t *testing.T) {
	a, b, c := strings.Repeat("a", 64), strings.Repeat("B", 64), strings.Repeat("c", 128)
	tests := []struct{ list, want string }{
		{a + "  debian.qcow2\n" + b + "  other\n", "sha256:" + a},
		{b + " *debian.qcow2\n" + a + " *other\n", "sha256:" + strings.ToLower(b)},
		{a + "  ./images/debian.qcow2\r\n" + b + "  x\n", "sha256:" + a},
		{a + "  debian.qcow2\n" + c + "  debian.qcow2\n", "sha512:" + c},
		{"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# debian.qcow2: 5 bytes\nSHA256 (debian.qcow2) = " + a + "\nSHA256 (other) = " + b + "\n-----BEGIN PGP SIGNATURE-----\n", "sha256:" + a},
		{"SHA512 (debian.qcow2) = " + c, "sha512:" + c},
		{a + "  debian-20260101.qcow2\n", "sha256:" + a},
		{a + "\n", "sha256:" + a},
		{a + "  debian.qcow2.zst\n" + b + "  x-debian.qcow2\n", ""},
		{"SHA256 (debian.qcow2) = abc\n", ""},
		{"", ""},
		{"<html>" + a + "</html>", ""},
	}
	for _, tt := range tests {
		if got, _ := findChecksum(tt.list, "debian.qcow2"); got != tt.want {
			t.Errorf("%q: %q, wanted %q", tt.list, got, tt.want)
		}
	}
}

func TestCheckDisk(t *testing.T) {
	qcow2 := func(at int, b ...byte) string {
		head := append([]byte("QFI\xfb\x00\x00\x00\x03"), make([]byte, 96)...)
		copy(head[at:], b)
		return string(head)
	}
	tests := []struct{ content, fails string }{
		{qcow2(0), ""},
		{strings.Repeat("\x00", 1024), ""},
		{qcow2(15, 104), "names another file"},
		{qcow2(79, 4), "names another file"},
		{"QFI\xfb\x00\x00\x00\x03", "ends within"},
		{"\xfd7zXZ\x00" + strings.Repeat("x", 506), "it is xz"},
		{"\x1f\x8b" + strings.Repeat("x", 510), "it is gzip"},
		{"<html>", "no disk image"},
		{"", "no disk image"},
	}
	for _, tt := range tests {
		p := partial(filepath.Join(t.TempDir(), "x"))
		if err := os.WriteFile(string(p), []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.CheckDisk(); (tt.fails == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%.20q: %v, wanted %q", tt.content, err, tt.fails)
		}
	}
}

func TestRedirectsToPlainHTTP(t *testing.T) {
	from, _ := http.NewRequest(http.MethodGet, "https://a.example/x", nil)
	to, _ := http.NewRequest(http.MethodGet, "http://b.example/x", nil)
	if err := fetchClient(true).CheckRedirect(to, []*http.Request{from}); err == nil || !strings.Contains(err.Error(), "no checksum") {
		t.Errorf("without a checksum: %v", err)
	}
	if err := fetchClient(false).CheckRedirect(to, []*http.Request{from}); err != nil {
		t.Errorf("with a checksum: %v", err)
	}
}

func TestCopyImage(t *testing.T) {
	p := newTestPool(t)
	content := append(bytes.Repeat([]byte{0}, 3<<20), []byte("data")...)
	content = append(content, bytes.Repeat([]byte{0}, 5<<20)...)
	src := filepath.Join(t.TempDir(), "src.img")
	if err := os.WriteFile(src, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	img := wire.Image{Path: src, Checksum: "sha256:" + strings.Repeat("0", 64)}
	if err := p.fetch(t.Context(), img); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a wrong checksum: %v", err)
	}
	p.entries(0)
	img.Checksum = "sha256:" + strings.ToUpper(hex.EncodeToString(sum[:]))
	if err := p.fetch(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	p.holds(content)
	if err := os.Remove(p.dest()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.fetch(ctx, img); err == nil {
		t.Error("it went on after it was cancelled")
	}
	if err := p.fetch(t.Context(), wire.Image{URL: "file://" + src}); err != nil {
		t.Fatal(err)
	}
	p.holds(content)
	if err := p.fetch(t.Context(), wire.Image{Path: "/nowhere"}); err == nil || !strings.Contains(err.Error(), "put the file there") {
		t.Errorf("a missing image: %v", err)
	}
	p.entries(1)
}
