package agent

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"homelab/model"
)

// planned are the steps of a plan with the attributes that each changes, for
// people to read before they approve it. What terraform calls sensitive, what
// is named like a secret and seeds, which hold keys, are left out, whatever
// their value: that they change is all that is said.
func planned(plan *tfjson.Plan, label func(string) string) []model.Resource {
	var all []model.Resource
	for _, rc := range plan.ResourceChanges {
		if rc.Mode != tfjson.ManagedResourceMode || rc.Change == nil {
			continue
		}
		action := ""
		switch a := rc.Change.Actions; {
		case a.Create():
			action = "create"
		case a.Update():
			action = "update"
		case a.Replace():
			action = "replace"
		case a.Delete():
			action = "delete"
		default:
			continue
		}
		d := differ{create: action == "create"}
		for _, p := range rc.Change.ReplacePaths {
			d.forces = append(d.forces, pathText(p))
		}
		if action != "delete" {
			c := rc.Change
			d.compare("", c.Before, c.After, c.AfterUnknown, c.BeforeSensitive, c.AfterSensitive)
		}
		all = append(all, model.Resource{
			Address: rc.Address, Label: label(rc.Address), Action: action, Status: model.ResourcePending, Changes: d.changes,
		})
	}
	return all
}

// differ finds what differs between two values of JSON.
type differ struct {
	create  bool // only what is there is worth saying
	forces  []string
	changes []model.AttributeChange
}

const (
	unknownValue = "(known after apply)"
	secretValue  = "(secret)"
)

// secretName tells of attributes that hold secrets, or may.
var secretName = regexp.MustCompile(`(?i)(password|secret|token|private|user_data)`)

func (d *differ) compare(path string, before, after, unknown, beforeSecret, afterSecret any) {
	if len(d.changes) >= model.MaxChanges {
		return
	}
	if unknown == true {
		if !d.create {
			d.add(path, value(before, beforeSecret == true || secretName.MatchString(path)), unknownValue)
		}
		return
	}
	if equal(before, after) {
		return
	}
	secret := beforeSecret == true || afterSecret == true || secretName.MatchString(path)
	b, bm := before.(map[string]any)
	a, am := after.(map[string]any)
	if !secret && (am && (bm || before == nil)) {
		d.fields(path, b, a, unknown, beforeSecret, afterSecret)
		return
	}
	bl, bs := before.([]any)
	al, as := after.([]any)
	if !secret && as && (bs || before == nil) {
		for i := range max(len(bl), len(al)) {
			d.compare(path+"["+strconv.Itoa(i)+"]", item(bl, i), item(al, i), item(unknown, i), item(beforeSecret, i), item(afterSecret, i))
		}
		return
	}
	d.add(path, value(before, secret), value(after, secret))
}

func (d *differ) fields(path string, before, after map[string]any, unknown, beforeSecret, afterSecret any) {
	keys := maps.Clone(before)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, after)
	if u, ok := unknown.(map[string]any); ok {
		maps.Copy(keys, u)
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		at := k
		if path != "" {
			at = path + "." + k
		}
		d.compare(at, before[k], after[k], field(unknown, k), field(beforeSecret, k), field(afterSecret, k))
	}
}

func (d *differ) add(path, before, after string) {
	if before == after && before != secretValue {
		return
	}
	forces := slices.ContainsFunc(d.forces, func(f string) bool {
		return f == path || strings.HasPrefix(path, f+".") || strings.HasPrefix(path, f+"[")
	})
	d.changes = append(d.changes, model.AttributeChange{Path: short160(path), Before: before, After: after, Forces: forces})
}

func equal(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

func field(v any, key string) any {
	if v == true {
		return true
	}
	m, _ := v.(map[string]any)
	return m[key]
}

func item(v any, i int) any {
	if v == true {
		return true
	}
	if l, ok := v.([]any); ok && i < len(l) {
		return l[i]
	}
	return nil
}

// value says a value in a line. Long texts are no help there.
func value(v any, secret bool) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		switch {
		case secret:
			return secretValue
		case strings.Contains(v, "\n") || len(v) > model.MaxAttribute:
			return fmt.Sprintf("(%d bytes of text)", len(v))
		}
		return strconv.Quote(v)
	}
	if secret {
		return secretValue
	}
	b, err := json.Marshal(v)
	if err != nil || string(b) == "[]" || string(b) == "{}" {
		return ""
	}
	return short160(string(b))
}

func short160(s string) string {
	if len(s) > model.MaxAttribute {
		return strings.ToValidUTF8(s[:model.MaxAttribute-3], "") + "…"
	}
	return s
}

// pathText writes a path of terraform's as ours are.
func pathText(p any) string {
	parts, _ := p.([]any)
	out := ""
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			if out != "" {
				out += "."
			}
			out += part
		default:
			out += fmt.Sprintf("[%v]", part)
		}
	}
	return out
}
