package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"homelab/model"
)

const (
	sendTime  = 10 * time.Second // of one try of one channel
	sendTries = 3
)

// message is what people are told at once, as webhooks and commands get it.
type message struct {
	Title  string    `json:"title"`
	Text   string    `json:"text"` // a line for each event
	State  string    `json:"state"`
	Time   time.Time `json:"time"`
	Events []event   `json:"events"`
	Test   bool      `json:"test,omitempty"`
}

// messageOf puts events into one message, those that failed first.
func messageOf(now time.Time, events []event) message {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b event) int { return strings.Compare(a.State, b.State) })
	m := message{Time: now.UTC(), Events: events, State: events[0].State}
	failed := 0
	var lines []string
	for i, e := range events {
		if e.State == stateFailed {
			failed++
		}
		if i < toldEvents {
			lines = append(lines, e.line())
		}
	}
	if more := len(events) - toldEvents; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	m.Text = strings.Join(lines, "\n")
	switch {
	case len(events) == 1 && failed == 1:
		m.Title = fmt.Sprintf("%s %s fails", events[0].Kind.Word(), events[0].Name)
	case len(events) == 1:
		m.Title = fmt.Sprintf("%s %s is well again", events[0].Kind.Word(), events[0].Name)
	case failed == 0:
		m.Title = fmt.Sprintf("%d things are well again", len(events))
	case failed == len(events):
		m.Title = fmt.Sprintf("%d things fail", failed)
	default:
		m.Title = fmt.Sprintf("%d fail, %d well again", failed, len(events)-failed)
	}
	return m
}

func testMessage(now time.Time, who string) message {
	return message{Title: "homelab: a test", Text: "This is a test, sent by " + who + ": nothing is wrong.", State: "test", Time: now.UTC(), Events: []event{}, Test: true}
}

// channels are the ways to tell people that the settings name.
type channels struct {
	webhook, ntfy, ntfyToken string
	command                  []string
	client                   *http.Client
	pause                    time.Duration // before the second try, doubled after
}

// channels reads them anew each time: they are seldom used.
func (s *Server) channels() *channels {
	secret := func(field string) string {
		value, _ := s.store.Secret(model.SettingsRef, field)
		return value
	}
	return &channels{
		webhook: secret(model.SecretWebhook), ntfy: secret(model.SecretNtfy), ntfyToken: secret(model.SecretNtfyToken),
		command: s.store.State().Settings.NotifyCommand, pause: time.Second,
		client: &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// send tells by all channels at once and returns what became of each.
func (c *channels) send(ctx context.Context, m message) map[string]error {
	by := map[string]func(context.Context, message) error{}
	if c.webhook != "" {
		by["webhook"] = c.toWebhook
	}
	if c.ntfy != "" {
		by["ntfy"] = c.toNtfy
	}
	if len(c.command) > 0 {
		by["command"] = c.toCommand
	}
	var mu sync.Mutex
	var sending sync.WaitGroup
	result := map[string]error{}
	for name, send := range maps.All(by) {
		sending.Go(func() {
			err := c.persist(ctx, m, send)
			mu.Lock()
			result[name] = err
			mu.Unlock()
		})
	}
	sending.Wait()
	return result
}

// persist tries a few times what may do later.
func (c *channels) persist(ctx context.Context, m message, send func(context.Context, message) error) error {
	pause := c.pause
	for n := 1; ; n++ {
		limited, cancel := context.WithTimeout(ctx, sendTime)
		err := send(limited, m)
		cancel()
		var final *finalError
		if err == nil || n == sendTries || m.Test || errors.As(err, &final) || !sleep(ctx, pause) {
			return err
		}
		pause *= 2
	}
}

// finalError is one that another try does not mend.
type finalError struct{ error }

func (c *channels) toWebhook(ctx context.Context, m message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return c.post(ctx, c.webhook, body, map[string]string{"Content-Type": "application/json"})
}

// toNtfy publishes to a topic of ntfy (https://docs.ntfy.sh/publish).
func (c *channels) toNtfy(ctx context.Context, m message) error {
	head := map[string]string{"Content-Type": "text/plain; charset=utf-8", "Title": m.Title, "Tags": "white_check_mark", "Priority": "default"}
	if m.State == stateFailed {
		head["Tags"], head["Priority"] = "warning", "high"
	}
	if c.ntfyToken != "" {
		head["Authorization"] = "Bearer " + c.ntfyToken
	}
	return c.post(ctx, c.ntfy, []byte(m.Text), head)
}

// post sends a request. No error of it holds the URL, which may be a secret.
func (c *channels) post(ctx context.Context, to string, body []byte, head map[string]string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return &finalError{errors.New("the address is no URL: set it again")}
	}
	for k, v := range head {
		req.Header.Set(k, v)
	}
	req.Header.Set("User-Agent", "homelab")
	resp, err := c.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the URL
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("no answer within %s from %s", sendTime, req.URL.Host)
		}
		return fmt.Errorf("%s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode/100 == 5, resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	return &finalError{fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)}
}

// toCommand runs the settings' command, without a shell, with the message as
// JSON on its standard input.
func (c *channels) toCommand(ctx context.Context, m message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	cmd.WaitDelay = time.Second // for children that keep its output open
	cmd.Stdin = bytes.NewReader(body)
	cmd.Env = append(cmd.Environ(), "HOMELAB_TITLE="+m.Title, "HOMELAB_TEXT="+m.Text, "HOMELAB_STATE="+m.State)
	var said bytes.Buffer
	out := &limitedBuffer{&said}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%s took longer than %s", c.command[0], sendTime)
		}
		if text := firstLineOf(said.String()); text != "" {
			return fmt.Errorf("%s: %w: %s", c.command[0], err, text)
		}
		return fmt.Errorf("%s: %w", c.command[0], err)
	}
	return nil
}

// limitedBuffer keeps the beginning of what is written to it.
type limitedBuffer struct{ b *bytes.Buffer }

func (l *limitedBuffer) Write(p []byte) (int, error) {
	if room := 4096 - l.b.Len(); room > 0 {
		l.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// NotifyTest sends a test by every channel; the answer says what became of
// each.
func (l *lab) NotifyTest(ctx context.Context) (map[string]error, error) {
	if err := l.may(model.RoleAdmin); err != nil {
		return nil, err
	}
	return l.s.channels().send(ctx, testMessage(l.s.told.now(), l.User().Name)), nil
}

// SetNotify keeps one of the addresses that people are told at; an empty value
// forgets it.
func (l *lab) SetNotify(field, value string) error {
	if err := l.may(model.RoleAdmin); err != nil {
		return err
	}
	if !slices.Contains(model.NotifySecrets(), field) {
		return fmt.Errorf("the settings have no secret named %q", field)
	}
	if err := model.CheckNotify(field, value); err != nil {
		return err
	}
	return l.s.store.SetSecret(model.SettingsRef, field, value)
}

// NotifySet are the names of those that are set.
func (l *lab) NotifySet() []string { return l.s.store.Secrets(model.SettingsRef) }
