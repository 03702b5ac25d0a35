package power

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	"homelab/model"
)

const (
	attemptTime = 5 * time.Second // of one request
	attempts    = 3               // when the device cannot be reached
	retryPause  = 300 * time.Millisecond
	maxAnswer   = 64 << 10 // bytes of an answer that are read
)

// httpSwitch is a device that is switched, and perhaps asked, by HTTP
// requests, such as a relay board or a bridge to radio plugs.
type httpSwitch struct {
	method          string
	onURL, offURL   string
	onBody, offBody string
	statusURL       string
	on, off         *regexp.Regexp // nil where there is no pattern
	client          *http.Client
}

func newHTTP(o model.HTTPOutlet) (*httpSwitch, error) {
	s := &httpSwitch{
		method: strings.ToUpper(o.Method), onURL: o.OnURL, offURL: o.OffURL, onBody: o.OnBody, offBody: o.OffBody, statusURL: o.StatusURL,
		client: &http.Client{
			Timeout: attemptTime,
			// Small devices serve few connections: none is kept open. They
			// are in the lab: no proxy.
			Transport:     &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: attemptTime},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if s.method == "" {
		s.method = http.MethodGet
	}
	for _, u := range []string{s.onURL, s.offURL, s.statusURL} {
		if err := checkURL(u); err != nil {
			return nil, err
		}
	}
	var err error
	if s.on, err = pattern("on_match", o.OnMatch); err != nil {
		return nil, err
	}
	s.off, err = pattern("off_match", o.OffMatch)
	return s, err
}

func checkURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is not a URL such as http://192.168.1.20/on", redacted(text))
	}
	return nil
}

func pattern(field, text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not a regular expression: %w", field, err)
	}
	return re, nil
}

func (s *httpSwitch) Set(ctx context.Context, on bool) error {
	target, body := s.offURL, s.offBody
	if on {
		target, body = s.onURL, s.onBody
	}
	if target == "" {
		return fmt.Errorf("the outlet has no URL to switch it %s", word(on))
	}
	_, err := s.ask(ctx, s.method, target, body)
	return err
}

func (s *httpSwitch) State(ctx context.Context) (model.Power, error) {
	if s.statusURL == "" {
		return model.PowerUnknown, nil
	}
	answer, err := s.ask(ctx, http.MethodGet, s.statusURL, "")
	if err != nil {
		return model.PowerUnknown, err
	}
	on, off := s.on != nil && s.on.Match(answer), s.off != nil && s.off.Match(answer)
	switch {
	case on && off:
		return model.PowerUnknown, fmt.Errorf("the device's status %s matches both on_match and off_match", excerpt(answer))
	case on:
		return model.PowerOn, nil
	case off:
		return model.PowerOff, nil
	}
	return model.PowerUnknown, fmt.Errorf("the device's status %s matches neither on_match nor off_match", excerpt(answer))
}

// ask does one request, again when the device could not be reached at all: then
// it cannot have acted on it.
func (s *httpSwitch) ask(ctx context.Context, method, target, body string) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		answer, err := s.request(ctx, method, target, body)
		if err == nil || attempt == attempts || !unreached(err) {
			return answer, plain(err)
		}
		select {
		case <-ctx.Done():
			return nil, plain(err)
		case <-time.After(retryPause):
		}
	}
}

func (s *httpSwitch) request(ctx context.Context, method, target, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.TrimSpace(body), "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, fmt.Errorf("the device at %s answered %s %s", req.URL.Host, res.Status, excerpt(answer))
	}
	if err != nil {
		return nil, fmt.Errorf("the answer of the device at %s broke off: %w", req.URL.Host, err)
	}
	return answer, nil
}

// unreached tells whether a request failed before a connection stood.
func unreached(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" && !errors.Is(err, context.Canceled)
}

// plain says an error without the URL, which may carry a password.
func plain(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	host := "the device"
	if parsed, e := url.Parse(u.URL); e == nil {
		host = "the device at " + parsed.Host
	}
	switch {
	case u.Timeout():
		return fmt.Errorf("%s did not answer in time", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s refused the connection", host)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Errorf("%s cannot be reached", host)
	}
	return fmt.Errorf("%s: %w", host, u.Err)
}

func redacted(text string) string {
	if u, err := url.Parse(text); err == nil {
		return u.Redacted()
	}
	return "the URL"
}

// excerpt quotes the beginning of an answer.
func excerpt(answer []byte) string {
	text := strings.ToValidUTF8(string(answer[:min(len(answer), 60)]), "?")
	return fmt.Sprintf("%q", strings.TrimSpace(text))
}

func word(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
