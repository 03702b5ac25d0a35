package tui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"homelab/model"
)

// changedWords says in a few words what a revision changed.
func changedWords(r model.Revision) string {
	var parts []string
	changes := withoutReplaced(r.Changes)
	for i, c := range changes {
		if i == 3 && len(changes) > 4 {
			parts = append(parts, fmt.Sprintf("%d more", len(changes)-i))
			break
		}
		name := c.Kind.Word() + " " + c.Name
		if c.Kind == model.KindSettings {
			name = "settings"
		}
		switch on, switched := activated(c); {
		case switched && on:
			parts = append(parts, name+" is active")
		case len(c.Before) == 0:
			if isActive(c) {
				name = "active " + name
			}
			parts = append(parts, name+" added")
		case len(c.After) == 0:
			parts = append(parts, name+" removed")
		default:
			parts = append(parts, name+changedFields(c))
		}
	}
	return orNone(strings.Join(parts, "; "))
}

// changedFields says which fields of a thing a change changed, after its name:
// " stopped", ": cpus 2, memory 2 GiB".
func changedFields(c model.ObjectChange) string {
	var words []string
	verbs := true
	for _, d := range diff(c) {
		if did, ok := fieldVerbs[string(c.Kind)+" "+d.key+" "+d.after]; ok {
			words = append(words, did)
			continue
		}
		switch {
		case c.Kind == model.KindVM && d.key == "rebuild":
			words = append(words, "rebuilt")
			continue
		case c.Kind == model.KindHypervisor && d.key != "power policy" && strings.HasPrefix(d.key, "power "):
			continue // whose order it is and when: a revision by itself says that
		}
		if len(d.after) > 16 {
			d.after = ""
		}
		words, verbs = append(words, strings.TrimSpace(d.key+" "+d.after)), false
	}
	switch {
	case len(words) == 0:
		return ": order about its power"
	case verbs:
		return " " + strings.Join(words, ", ")
	}
	return ": " + strings.Join(words, ", ")
}

// fieldVerbs say what was done where that is plainer than a field and its value.
var fieldVerbs = map[string]string{
	"vm running true": "started", "vm running false": "stopped",
	"vm enabled true": "enabled", "vm enabled false": "disabled",
	"vm protected true": "protected", "vm protected false": "protected no longer",
	"hypervisor hold true": "held", "hypervisor hold false": "released",
	"hypervisor power wanted on": "ordered on", "hypervisor power wanted off": "ordered off", "hypervisor power wanted none": "left to people",
}

// activated tells whether a change does nothing but make a profile the active
// one, or another than that.
func activated(c model.ObjectChange) (on, switched bool) {
	if c.Kind != model.KindProfile || len(c.Before) == 0 || len(c.After) == 0 {
		return false, false
	}
	d := diff(c)
	return len(d) == 1 && d[0].after == "true", len(d) == 1 && d[0].key == "active"
}

// isActive tells of a profile that is the active one after a change.
func isActive(c model.ObjectChange) bool {
	return c.Kind == model.KindProfile && decode(c.After)["active"] == true
}

// withoutReplaced leaves out the profile that is not active any more where
// another has become it: that says both.
func withoutReplaced(changes []model.ObjectChange) []model.ObjectChange {
	if !slices.ContainsFunc(changes, isActive) {
		return changes
	}
	return slices.DeleteFunc(slices.Clone(changes), func(c model.ObjectChange) bool {
		on, switched := activated(c)
		return switched && !on
	})
}

// fieldDiff is one field before and after.
type fieldDiff struct{ key, before, after string }

// diff compares both sides of a change, field by field.
func diff(c model.ObjectChange) []fieldDiff {
	before, after := decode(c.Before), decode(c.After)
	var out []fieldDiff
	for _, k := range model.Names(merged(before, after)) {
		switch k {
		case "version", "created", "changed":
			continue
		}
		if b, a := withUnit(k, before[k]), withUnit(k, after[k]); b != a {
			out = append(out, fieldDiff{model.FieldWord(k), b, a})
		}
	}
	return out
}

// withUnit is a field's value with the unit that its name ends in.
func withUnit(key string, v any) string {
	n, err := strconv.Atoi(show(v))
	switch {
	case err != nil || n == 0:
	case strings.HasSuffix(key, "_mib") && n%1024 == 0:
		return mebibytes(n)
	case strings.HasSuffix(key, "_mib"):
		return show(v) + " MiB" // in GiB it would be rounded
	case strings.HasSuffix(key, "_gib"):
		return show(v) + " GiB"
	case strings.HasSuffix(key, "_seconds"):
		return show(v) + " s"
	}
	return show(v)
}

func decode(data json.RawMessage) map[string]any {
	var m map[string]any
	if len(data) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	_ = d.Decode(&m) // what cannot be read shows as nothing
	return m
}

func merged(a, b map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}

// show says a JSON value shortly.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = show(e)
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		return showObject(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(b)
}

// showObject says an object that is part of another: by its name and what it is
// recognized by, else field by field.
func showObject(m map[string]any) string {
	if name := show(m["name"]); name != "" {
		for _, by := range []string{"fingerprint", "path"} {
			if s := show(m[by]); s != "" {
				name += " " + s
			}
		}
		return name
	}
	var parts []string
	for _, k := range model.Names(m) {
		if s := show(m[k]); !empty(s) {
			parts = append(parts, k+" "+s)
		}
	}
	return strings.Join(parts, ", ")
}

// diffLines shows a revision field by field.
func diffLines(a *app, r model.Revision, w int) []line {
	out := []line{
		{{fmt.Sprintf(" Revision %d", r.Number), inkName}, {" by " + r.Who + ", " + moment(a.now, r.Time), inkDim}},
		text(inkDim, " "+r.Via),
	}
	for _, c := range r.Changes {
		sign, colour := "~", inkWarn
		switch {
		case len(c.Before) == 0:
			sign, colour = "+", inkGood
		case len(c.After) == 0:
			sign, colour = "−", inkBad
		}
		out = append(out, line{{" " + sign + " ", colour}, {c.Kind.Word() + " ", inkDim}, {c.Name, inkName}})
		for _, d := range diff(c) {
			before, after := moments(a, d.before), moments(a, d.after)
			switch {
			case len(c.Before) == 0 && empty(d.after), len(c.After) == 0 && empty(d.before):
			case len(c.Before) == 0:
				out = append(out, valueLines(d.key, w, span{after, inkText})...)
			case len(c.After) == 0:
				out = append(out, valueLines(d.key, w, span{before, inkDim})...)
			default:
				out = append(out, valueLines(d.key, w, span{orNone(before), inkDim}, span{" → ", inkDim}, span{orNone(after), inkText})...)
			}
		}
	}
	return out
}

// valueLines are what a field was and is: beside its name where that has room,
// else whole under it.
func valueLines(key string, w int, values ...span) []line {
	l := append(text(inkDim, "   "+key).fit(18), values...)
	if l.size() <= w {
		return []line{l}
	}
	out := []line{text(inkDim, "   "+key)}
	for _, v := range values {
		for _, t := range wrap(strings.TrimSpace(v.text), w-5) {
			out = append(out, text(v.ink, "     "+t))
		}
	}
	return out
}

// moments says a time as people do.
func moments(a *app, s string) string {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return moment(a.now, t)
	}
	return s
}

// empty tells whether a value is not worth showing of a thing that came or went.
func empty(s string) bool { return s == "" || s == "0" || s == "false" }
