package power

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/icholy/digest"
)

const (
	attemptTime = 5 * time.Second // of one request
	attempts    = 3               // when the device cannot be reached
	retryPause  = 200 * time.Millisecond
	maxAnswer   = 64 << 10 // bytes of an answer that are read
)

// web asks devices by HTTP, and says who is asking when they want to know.
type web struct {
	client         *http.Client
	header         http.Header
	user, password string
	secrets        []string // that no error may name
}

func newWeb(insecure bool, user, password string, secrets ...string) *web {
	return &web{
		user: user, password: password, header: http.Header{}, secrets: append(secrets, password),
		client: &http.Client{
			Timeout: attemptTime,
			// Small devices serve few connections: none is kept open. They
			// are in the lab: no proxy.
			Transport: &http.Transport{
				DisableKeepAlives: true, ResponseHeaderTimeout: attemptTime,
				TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure, MinVersion: tls.VersionTLS10}, // old controllers know no later one
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// question is one request. One that is harmless may be sent again after it
// arrived: it asks, or orders what it orders however often.
type question struct {
	method, url, body string
	harmless          bool
}

// ask does a request, and again after growing pauses when the device could not
// be reached at all: then it cannot have acted on it.
func (w *web) ask(ctx context.Context, q question) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		answer, err := w.once(ctx, q)
		if err == nil || attempt == attempts || !unreached(err) && !(q.harmless && brokeOff(err)) {
			return answer, w.plain(err)
		}
		select {
		case <-ctx.Done():
			return nil, w.plain(err)
		case <-time.After(retryPause << (attempt - 1)):
		}
	}
}

// get asks for JSON.
func (w *web) get(ctx context.Context, target string, into any) error {
	answer, err := w.ask(ctx, question{method: http.MethodGet, url: target, harmless: true})
	if err != nil {
		return err
	}
	return decode(answer, into)
}

func decode(answer []byte, into any) error {
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("the device answered %s, which this driver does not understand", excerpt(answer))
	}
	return nil
}

// once sends a request, and a second time when the device asks who it is: it
// cannot have acted on the first.
func (w *web) once(ctx context.Context, q question) ([]byte, error) {
	res, answer, err := w.send(ctx, q, "")
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusUnauthorized && w.password != "" {
		login, e := w.login(q, res.Header)
		if e != nil {
			return nil, e
		}
		if login != "" {
			if res, answer, err = w.send(ctx, q, login); err != nil {
				return nil, err
			}
		}
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, &answerError{host: res.Request.URL.Host, code: res.StatusCode, status: res.Status, text: excerpt(answer), login: w.password != ""}
	}
	return answer, nil
}

func (w *web) send(ctx context.Context, q question, login string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, strings.NewReader(q.body))
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(strings.TrimSpace(q.body), "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range w.header {
		req.Header[name] = values
	}
	if login != "" {
		req.Header.Set("Authorization", login)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, nil, &url.Error{Op: q.method, URL: q.url, Err: fmt.Errorf("its answer broke off: %w", err)}
	}
	return res, answer, nil
}

// login answers a device that asks who it is: by digest where it knows that.
func (w *web) login(q question, header http.Header) (string, error) {
	challenge, err := digest.FindChallenge(header)
	if errors.Is(err, digest.ErrNoChallenge) {
		if !strings.HasPrefix(strings.ToLower(header.Get("WWW-Authenticate")), "basic") {
			return "", nil
		}
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(w.user, w.password)
		return r.Header.Get("Authorization"), nil
	}
	target, e := url.Parse(q.url)
	if err = errors.Join(err, e); err != nil {
		return "", err
	}
	c, err := digest.Digest(challenge, digest.Options{
		Method: q.method, URI: target.RequestURI(), Count: 1, Username: w.user, Password: w.password,
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(q.body)), nil },
	})
	if err != nil {
		return "", fmt.Errorf("the device at %s asks for a login that is not known here: %w", target.Host, err)
	}
	return c.String(), nil
}

// answerError is an answer that is none.
type answerError struct {
	host   string
	code   int
	status string
	text   string
	login  bool // we had something to log in with
}

func (e *answerError) Error() string {
	switch {
	case e.code == http.StatusUnauthorized && e.login:
		return fmt.Sprintf("the device at %s refuses the password", e.host)
	case e.code == http.StatusUnauthorized:
		return fmt.Sprintf("the device at %s wants a password or a token, and none is set", e.host)
	}
	return fmt.Sprintf("the device at %s answered %s %s", e.host, e.status, e.text)
}

func answered(err error, code int) bool {
	var a *answerError
	return errors.As(err, &a) && a.code == code
}

// unreached tells whether a request failed before a connection stood.
func unreached(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" && !errors.Is(err, context.Canceled)
}

// brokeOff tells whether a connection ended before the answer.
func brokeOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// plain says an error without the URL and whatever else may carry a secret.
func (w *web) plain(err error) error {
	if err = plain(err); err == nil {
		return nil
	}
	text := err.Error()
	for _, s := range w.secrets {
		if s != "" && (strings.Contains(text, s) || strings.Contains(text, url.QueryEscape(s))) {
			return errors.New("the device answered with an error that repeats a secret, and is not shown")
		}
	}
	return err
}

func plain(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	host := "the device"
	if parsed, e := url.Parse(u.URL); e == nil {
		host = "the device at " + parsed.Host
	}
	var cert *tls.CertificateVerificationError
	switch {
	case u.Timeout():
		return fmt.Errorf("%s did not answer in time", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s refused the connection", host)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Errorf("%s cannot be reached", host)
	case errors.As(err, &cert):
		return fmt.Errorf("%s has a certificate that is not trusted (%w); `--insecure` takes any", host, cert.Err)
	}
	return fmt.Errorf("%s: %w", host, u.Err)
}

// excerpt quotes the beginning of an answer.
func excerpt(answer []byte) string {
	text := strings.ToValidUTF8(string(answer[:min(len(answer), 80)]), "?")
	return fmt.Sprintf("%q", strings.TrimSpace(text))
}
