package userdata

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ConflictError says what user-data would replace.
type ConflictError struct {
	Path string // such as salt_minion.conf.id
	Rule string // what is wrong with it
}

func (e *ConflictError) Error() string { return fmt.Sprintf("%q %s", e.Path, e.Rule) }

const ruleOwn = "is set by homelab itself and cannot be replaced"

// Merge adds more to a text of homelab's own and returns the whole, with its
// header. Its errors are [ConflictError]s, all that there are.
func Merge(own string, more ...*Document) (string, error) {
	doc, err := Parse(own)
	if err != nil {
		return "", err
	}
	root, errs := doc.root, []error(nil)
	for _, m := range more {
		root, err = merged(root, m.root, nil)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(Header + "\n")
	root.write(&b, 0)
	return b.String(), nil
}

// merged is a with b added to it; neither is changed.
func merged(a, b *node, path []string) (*node, error) {
	switch {
	case a.kind == scalar:
		return nil, &ConflictError{strings.Join(path, "."), ruleOwn}
	case a.kind != b.kind:
		return nil, &ConflictError{strings.Join(path, "."), "must be " + map[kind]string{list: "a list", mapping: "a map"}[a.kind] + ", as homelab adds to it"}
	}
	all := &node{kind: a.kind, items: append([]item(nil), a.items...)}
	if a.kind == list {
		all.items = append(all.items, b.items...)
		return all, nil
	}
	var errs []error
	for _, add := range b.items {
		there := all.find(add.key)
		if there == nil {
			all.items = append(all.items, add)
			continue
		}
		value, err := merged(there.value, add.value, append(path[:len(path):len(path)], add.key))
		there.value = value
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// write writes a map or a list, each of its items on lines of its own.
func (n *node) write(b *strings.Builder, indent int) {
	for _, it := range n.items {
		b.WriteString(strings.Repeat(" ", indent))
		switch {
		case n.kind == list:
			b.WriteString("-")
		case it.plain:
			b.WriteString(it.key + ":")
		default:
			b.WriteString(strconv.Quote(it.key) + ":")
		}
		switch v := it.value; {
		case v.kind == scalar:
			b.WriteString(" " + v.text + "\n")
		case len(v.items) == 0:
			b.WriteString(map[kind]string{list: " []\n", mapping: " {}\n"}[v.kind])
		default:
			b.WriteString("\n")
			v.write(b, indent+2)
		}
	}
}

// Packages is user-data that installs packages.
func Packages(names []string) *Document {
	all := &node{kind: list}
	for _, name := range names {
		all.items = append(all.items, item{value: &node{text: strconv.Quote(name), value: name}})
	}
	return &Document{&node{kind: mapping, items: []item{{key: "packages", plain: true, value: all}}}}
}
