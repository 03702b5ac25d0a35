package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// maxList is the longest list of checksums that is read, in bytes.
const maxList = 4 << 20

// checksum is the checksum that the image must have, kind:HEX; empty is none.
// A list of the publisher's is read anew each time: it changes with the file.
func (f *fetcher) checksum(ctx context.Context) (string, error) {
	list := f.img.Checksum
	if !strings.Contains(list, "://") {
		if newHash(list) == nil {
			f.j.warn("image %q: nothing verifies what comes from %s", f.img.Name, shown(f.img.URL))
			return "", nil
		}
		return list, nil
	}
	var text string
	for try := 1; ; try++ {
		var err error
		if text, err = fetchText(ctx, list); err == nil {
			break
		}
		var final *finalError
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if errors.As(err, &final) || try == fetchTries {
			return "", fmt.Errorf("its checksum cannot be had: %w", err)
		}
		f.j.warn("image %q: its checksum: %v; trying again", f.img.Name, err)
		if pause(ctx, fetchPause<<(try-1)) != nil {
			return "", context.Cause(ctx)
		}
	}
	u, err := url.Parse(f.img.URL)
	if err != nil {
		return "", err
	}
	sum, ok := findChecksum(text, path.Base(u.Path))
	if !ok {
		return "", fmt.Errorf("%s has no checksum of %s", shown(list), path.Base(u.Path))
	}
	f.j.say("image %q: its publisher says %s", f.img.Name, sum)
	return sum, nil
}

func fetchText(ctx context.Context, from string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, stallTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return "", &finalError{err}
	}
	resp, err := fetchClient(true).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := fmt.Errorf("%s answered %s", shown(resp.Request.URL.String()), resp.Status)
		if resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusTooManyRequests {
			return "", &finalError{err}
		}
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxList+1))
	if len(b) > maxList {
		return "", &finalError{fmt.Errorf("%s is no list of checksums: it is longer than %d bytes", shown(from), maxList)}
	}
	return string(b), err
}

var (
	// As sha256sum and its like write it, the name after a space or a star.
	gnuLine = regexp.MustCompile(`^([0-9a-fA-F]{64}|[0-9a-fA-F]{128})(?:[ \t]+\*?(.+))?$`)
	// As BSD's write it, and Fedora's lists.
	bsdLine = regexp.MustCompile(`^(SHA256|SHA512) \((.+)\) = ([0-9a-fA-F]+)$`)
)

// findChecksum finds the checksum of a file in a list, the strongest one. A
// list of one file is about the file, whatever it calls it: a name without
// date may be another's alias.
func findChecksum(list, name string) (string, bool) {
	var found, only string
	entries := 0
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		digits, of := "", ""
		if m := bsdLine.FindStringSubmatch(line); m != nil {
			of, digits = m[2], m[3]
		} else if m := gnuLine.FindStringSubmatch(line); m != nil {
			digits, of = m[1], m[2]
		}
		sum := withKind(digits)
		if sum == "" {
			continue
		}
		entries, only = entries+1, sum
		if path.Base(of) == name && len(sum) > len(found) {
			found = sum
		}
	}
	if found == "" && entries == 1 {
		found = only
	}
	return found, found != ""
}

func withKind(digits string) string {
	switch len(digits) {
	case 64:
		return "sha256:" + strings.ToLower(digits)
	case 128:
		return "sha512:" + strings.ToLower(digits)
	}
	return ""
}
