package tui

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"homelab/model"
)

// TestChangedWords checks what the history says in a line.
func TestChangedWords(t *testing.T) {
	change := func(kind model.Kind, name, before, after string) model.ObjectChange {
		return model.ObjectChange{Ref: model.Ref{Kind: kind, Name: name}, Before: json.RawMessage(before), After: json.RawMessage(after)}
	}
	off, on := change(model.KindProfile, "day", `{"active":true}`, `{"active":false}`), change(model.KindProfile, "night", `{}`, `{"active":true}`)
	for want, changes := range map[string][]model.ObjectChange{
		"profile night is active":       {off, on},
		"active profile night added":    {off, change(model.KindProfile, "night", "", `{"active":true}`)},
		"profile day: active false":     {off},
		"VM db: cpus 2; VM web removed": {change(model.KindVM, "db", `{"cpus":1}`, `{"cpus":2}`), change(model.KindVM, "web", `{"cpus":1}`, "")},
		"VM dns stopped":                {change(model.KindVM, "dns", `{"running":true}`, `{"running":false}`)},
		"VM games rebuilt":              {change(model.KindVM, "games", `{"rebuild":0}`, `{"rebuild":1}`)},
		"VM db: memory 2 GiB, started":  {change(model.KindVM, "db", `{"memory_mib":1024,"running":false}`, `{"memory_mib":2048,"running":true}`)},
		"hypervisor rack ordered on":    {change(model.KindHypervisor, "rack", `{"power_wanted":"none"}`, `{"power_at":"2026-11-26T03:00:00Z","power_by":"ann","power_by_hand":true,"power_wanted":"on"}`)},
		"user bob added":                {change(model.KindUser, "bob", "", `{"keys":[{"name":"b@pi","fingerprint":"SHA256:x"}]}`)},
	} {
		if got := changedWords(model.Revision{Changes: changes}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestShowValues(t *testing.T) {
	for in, want := range map[string]string{
		`[{"name":"b@pi","public_key":"ssh-ed25519 AAAA","fingerprint":"SHA256:x"},{"name":"phone"}]`: "b@pi SHA256:x, phone",
		`[{"name":"fast","path":"/srv/fast"}]`:                                                        "fast /srv/fast",
		`{"on_url":"http://a/on","method":"","n":0}`:                                                  "on_url http://a/on",
		`["a",1,true]`: "a, 1, true",
	} {
		var v map[string]any
		d := decode(json.RawMessage(fmt.Sprintf(`{"x":%s}`, in)))
		if v = d; show(v["x"]) != want {
			t.Errorf("%s is %q, want %q", in, show(v["x"]), want)
		}
	}
}

// TestLongValuesBeginUnderTheirName checks that a word that is longer than the
// room for it leaves no line empty.
func TestLongValuesBeginUnderTheirName(t *testing.T) {
	got := textOf(valueLines("fingerprint", 30, span{"SHA256:" + strings.Repeat("x", 40), inkText}))
	want := "   fingerprint\n     SHA256:" + strings.Repeat("x", 18) + "\n     " + strings.Repeat("x", 22) + "\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
