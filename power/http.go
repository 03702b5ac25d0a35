package power

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"homelab/model"
)

// httpSwitch is a device that is switched, and perhaps asked, by HTTP
// requests, such as a relay board or a bridge to radio plugs.
type httpSwitch struct {
	on, off, status question
	isOn, isOff     *regexp.Regexp // nil where there is no pattern
	web             *web
}

func newHTTP(o model.HTTPOutlet, password, token string) (*httpSwitch, error) {
	for _, u := range []string{o.OnURL, o.OffURL, o.StatusURL} {
		if err := checkURL(u); err != nil {
			return nil, err
		}
	}
	method := strings.ToUpper(o.Method)
	if method == "" {
		method = http.MethodGet
	}
	fill := filler(password, token)
	s := &httpSwitch{
		on:     question{method: method, url: fill(o.OnURL, url.QueryEscape), body: fill(o.OnBody, jsonEscape)},
		off:    question{method: method, url: fill(o.OffURL, url.QueryEscape), body: fill(o.OffBody, jsonEscape)},
		status: question{method: http.MethodGet, url: fill(o.StatusURL, url.QueryEscape), harmless: true},
		web:    newWeb(o.Insecure, o.User, password, token),
	}
	placed := strings.Contains(strings.Join(append([]string{o.OnURL, o.OffURL, o.StatusURL, o.OnBody, o.OffBody}, o.Headers...), "\n"), "{token}")
	switch {
	case token != "" && !placed:
		s.web.header.Set("Authorization", "Bearer "+token)
	case o.User != "" && password != "":
		// Not all devices that want it ask for it.
		s.web.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(o.User+":"+password)))
	}
	for _, line := range o.Headers {
		name, value, _ := strings.Cut(line, ":")
		s.web.header.Set(strings.TrimSpace(name), strings.TrimSpace(fill(value, func(s string) string { return s })))
	}
	var err error
	if s.isOn, err = pattern("on_match", o.OnMatch); err != nil {
		return nil, err
	}
	s.isOff, err = pattern("off_match", o.OffMatch)
	return s, err
}

// filler puts secrets where their names stand in braces.
func filler(password, token string) func(text string, escape func(string) string) string {
	return func(text string, escape func(string) string) string {
		return strings.NewReplacer("{password}", escape(password), "{token}", escape(token)).Replace(text)
	}
}

// jsonEscape writes a secret as it stands between the quotes of a JSON string;
// ordinary ones are the same in a form.
func jsonEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
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

func redacted(text string) string {
	if u, err := url.Parse(text); err == nil {
		return u.Redacted()
	}
	return "the URL"
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
	q := s.off
	if on {
		q = s.on
	}
	if q.url == "" {
		return fmt.Errorf("the outlet has no URL to switch it %s", word(on))
	}
	_, err := s.web.ask(ctx, q)
	return err
}

func (s *httpSwitch) State(ctx context.Context) (model.Power, error) {
	if s.status.url == "" {
		return model.PowerUnknown, nil
	}
	answer, err := s.web.ask(ctx, s.status)
	if err != nil {
		return model.PowerUnknown, err
	}
	on, off := s.isOn != nil && s.isOn.Match(answer), s.isOff != nil && s.isOff.Match(answer)
	switch {
	case on && off:
		err = fmt.Errorf("the device's status %s matches both on_match and off_match", excerpt(answer))
	case on:
		return model.PowerOn, nil
	case off:
		return model.PowerOff, nil
	default:
		err = fmt.Errorf("the device's status %s matches neither on_match nor off_match", excerpt(answer))
	}
	return model.PowerUnknown, s.web.plain(err)
}
