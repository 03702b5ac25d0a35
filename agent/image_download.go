package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Patience of a download.
var (
	stallTime  = time.Minute     // without a byte a request has failed
	fetchPause = 2 * time.Second // before the second try; doubled after
)

// fetchTries is how often in a row a download may make no progress.
const fetchTries = 5

// errStalled ends a request that brings nothing any more.
var errStalled = errors.New("nothing came for too long")

// download fetches the image, going on where an earlier run was ended. A file
// that is put together of parts and turns out wrong is fetched anew, once.
func (f *fetcher) download(ctx context.Context, p partial) error {
	want, err := f.checksum(ctx)
	if err != nil {
		return err
	}
	for again := false; ; again = true {
		if err := f.requests(ctx, p); err != nil {
			return err
		}
		err := p.Verify(ctx, want, shown(f.img.URL))
		if err == nil {
			err = p.CheckDisk()
		}
		switch {
		case err == nil:
			return p.Install(f.dest)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		p.Remove()
		if !f.resume || again {
			return err
		}
		f.j.warn("image %q: %v; it came in parts and is fetched anew", f.img.Name, err)
		f.resume = false
	}
}

// requests asks for the file until it is there.
func (f *fetcher) requests(ctx context.Context, p partial) error {
	most, _ := p.Begun(f.img.URL)
	for try := 0; ; {
		err := f.request(ctx, p)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var final *finalError
		if errors.As(err, &final) {
			return err
		}
		have, _ := p.Begun(f.img.URL)
		if have > most {
			most, try = have, 0
		}
		if try++; try >= fetchTries {
			if have == 0 {
				p.Remove()
				return err
			}
			return fmt.Errorf("%w; what has come, %s, is kept for the next run", err, mib(have))
		}
		f.j.warn("image %q: %v; trying again from byte %d", f.img.Name, err, have)
		if pause(ctx, fetchPause<<(try-1)) != nil {
			return context.Cause(ctx)
		}
	}
}

// request makes one request for what is missing.
func (f *fetcher) request(ctx context.Context, p partial) error {
	at, from := p.Begun(f.img.URL)
	if at > 0 && at == from.Total {
		f.resume = true
		return nil // the agent was ended before it was put in its place
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(stallTime, func() { cancel(fmt.Errorf("%w (%s)", errStalled, stallTime)) })
	defer stall.Stop()
	resp, err := f.ask(ctx, at, from)
	if err != nil {
		return because(ctx, fmt.Errorf("%s: %w", shown(f.img.URL), plainly(err)))
	}
	defer resp.Body.Close()
	if at, err = f.answered(resp, p, at, from); err != nil {
		return err
	}
	total := int64(-1)
	if resp.ContentLength >= 0 {
		total = at + resp.ContentLength
		if err := p.checkRoom(resp.ContentLength); err != nil {
			return &finalError{err}
		}
	}
	if at == 0 {
		p.Remove() // lest the note be about other bytes
	}
	if err := p.Note(origin{URL: f.img.URL, Validator: validator(resp.Header), Total: total}); err != nil {
		return p.full(err, 0)
	}
	return because(ctx, f.receive(resp.Body, p, at, total, func() { stall.Reset(stallTime) }))
}

// because is what a request was ended for, rather than that it was.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// ask sends the request for the bytes from at.
func (f *fetcher) ask(ctx context.Context, at int64, from origin) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.img.URL, nil)
	if err != nil {
		return nil, &finalError{err}
	}
	if at > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
		req.Header.Set("If-Range", from.Validator)
	} else {
		f.j.say("fetching image %q from %s", f.img.Name, shown(f.img.URL))
	}
	return fetchClient(!strings.Contains(f.img.Checksum, ":")).Do(req)
}

// answered tells where in the file the answer begins.
func (f *fetcher) answered(resp *http.Response, p partial, at int64, from origin) (int64, error) {
	switch {
	case resp.StatusCode == http.StatusPartialContent && at > 0 && begins(resp.Header, at, from.Total):
		f.resume = true
		f.j.say("image %q: going on from %s", f.img.Name, mib(at))
		return at, nil
	case resp.StatusCode == http.StatusOK:
		if at > 0 {
			f.j.say("image %q: the server sends it from the beginning", f.img.Name)
		}
		return 0, nil
	case resp.StatusCode == http.StatusPartialContent, resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		p.Remove()
		return 0, errors.New("the server sent another part than was asked for")
	}
	err := fmt.Errorf("%s answered %s", shown(resp.Request.URL.String()), resp.Status)
	if resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusRequestTimeout && resp.StatusCode != http.StatusTooManyRequests {
		return 0, &finalError{fmt.Errorf("%w: is the image's URL right?", err)}
	}
	return 0, err
}

// begins tells whether a part is the one from at of the same whole.
func begins(h http.Header, at, total int64) bool {
	rest, ok := strings.CutPrefix(h.Get("Content-Range"), fmt.Sprintf("bytes %d-", at))
	_, whole, ok2 := strings.Cut(rest, "/")
	n, err := strconv.ParseInt(whole, 10, 64)
	return ok && ok2 && (whole == "*" || total < 0 || err == nil && n == total)
}

// validator is what names this very content of the URL; empty if nothing does.
func validator(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return h.Get("Last-Modified")
}

// receive writes what comes, from at; alive is called when something does.
func (f *fetcher) receive(body io.Reader, p partial, at, total int64, alive func()) error {
	file, err := os.OpenFile(string(p), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return &finalError{err}
	}
	defer file.Close()
	if err := file.Truncate(at); err != nil {
		return err
	}
	need := max(total-at, 0)
	block := make([]byte, 256<<10)
	for {
		n, err := body.Read(block)
		if n > 0 {
			alive()
			if _, err := file.WriteAt(block[:n], at); err != nil {
				return p.full(err, need)
			}
			at += int64(n)
			f.tell(at, total)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("the connection broke: %w", err)
		}
	}
	if total >= 0 && at != total {
		return fmt.Errorf("%d bytes came and not %d", at, total)
	}
	return errors.Join(file.Sync(), file.Close())
}

// shown is a URL as it may be shown: what follows its path can be a key.
func shown(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the URL"
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	return u.String()
}

// fetchClient follows redirects; from https to http only where what comes is
// verified otherwise.
func fetchClient(strict bool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression, transport.DisableKeepAlives = true, true
	return &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= 10:
			return &finalError{errors.New("it is redirected more than ten times")}
		case strict && via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
			return &finalError{fmt.Errorf("https is redirected to %s, which anybody on the way can change, and there is no checksum", shown(req.URL.String()))}
		}
		return nil
	}}
}
