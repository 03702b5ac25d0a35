package command

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"homelab/model"
)

// fields are the flags that set the fields of an object: only those that were
// given are applied, so that one definition serves add and edit.
type fields[T any] struct {
	s     *session
	cmd   *cobra.Command
	flags []string
	set   []func(*T) error

	secrets []secretFlag
	found   bool // where it is, so that its address is no setting
}

func newFields[T any](s *session, cmd *cobra.Command) *fields[T] {
	return &fields[T]{s: s, cmd: cmd}
}

// on runs apply if the flag was given.
func (f *fields[T]) on(flag string, apply func(*T)) {
	f.try(flag, func(obj *T) error { apply(obj); return nil })
}

// try is on for what may be refused.
func (f *fields[T]) try(flag string, apply func(*T) error) {
	f.flags = append(f.flags, flag)
	f.set = append(f.set, func(obj *T) error {
		if f.given(flag) {
			return apply(obj)
		}
		return nil
	})
}

func (f *fields[T]) given(flag string) bool { return f.cmd.Flags().Changed(flag) }

// apply sets what was given; its error is only for flags that may be refused.
func (f *fields[T]) apply(obj *T) error {
	var errs []error
	for _, set := range f.set {
		errs = append(errs, set(obj))
	}
	return errors.Join(errs...)
}

// some tells whether any field was given.
func (f *fields[T]) some() bool {
	given := false
	for _, flag := range f.flags {
		given = given || f.given(flag)
	}
	return given
}

func (f *fields[T]) text(flag, usage string, at func(*T) *string) {
	v := f.cmd.Flags().String(flag, "", usage)
	f.on(flag, func(obj *T) { *at(obj) = *v })
}

// list takes a list, separated by commas or by repeating the flag; an empty
// one clears it.
func (f *fields[T]) list(flag, usage string, at func(*T) *[]string) {
	v := f.cmd.Flags().StringSlice(flag, nil, usage)
	f.on(flag, func(obj *T) { assign(at(obj), *v) })
}

// words takes a command line, split at its spaces; an empty one clears it.
func (f *fields[T]) words(flag, usage string, at func(*T) *[]string) {
	v := f.cmd.Flags().String(flag, "", usage)
	f.on(flag, func(obj *T) { assign(at(obj), strings.Fields(*v)) })
}

// lines takes a list by repeating the flag; commas are part of a line.
func (f *fields[T]) lines(flag, usage string, at func(*T) *[]string) {
	v := f.cmd.Flags().StringArray(flag, nil, usage)
	f.on(flag, func(obj *T) { assign(at(obj), *v) })
}

// assign sets a list; an empty one stays as it is when nothing is set, nil or
// not, so that nothing counts as changed.
func assign(at *[]string, items []string) {
	if items = trimmed(items); len(items) > 0 || len(*at) > 0 {
		*at = items
	}
}

func (f *fields[T]) number(flag, usage string, at func(*T) *int) {
	v := f.cmd.Flags().Int(flag, 0, usage)
	f.on(flag, func(obj *T) { *at(obj) = *v })
}

func (f *fields[T]) amount(flag, usage string, at func(*T) *float64) {
	v := f.cmd.Flags().Float64(flag, 0, usage)
	f.on(flag, func(obj *T) { *at(obj) = *v })
}

func (f *fields[T]) size(flag, usage string, parse func(string) (int, error), at func(*T) *int) {
	v := &sizeValue{parse: parse}
	f.cmd.Flags().Var(v, flag, usage)
	f.on(flag, func(obj *T) { *at(obj) = v.n })
}

func (f *fields[T]) truth(flag, usage string, at func(*T) *bool) {
	v := f.cmd.Flags().Bool(flag, false, usage)
	f.on(flag, func(obj *T) { *at(obj) = *v })
}

// suggest completes a flag's value with the names of a kind.
func (f *fields[T]) suggest(flag string, kind model.Kind) {
	annotate(f.cmd.Flags().Lookup(flag), "kind", string(kind))
}

// known completes a flag's value with what the state knows.
func (f *fields[T]) known(flag string, words func(*model.State) []string) {
	f.choices(flag, words(f.s.state())...)
}

// choices completes a flag's value with fixed words.
func (f *fields[T]) choices(flag string, words ...string) {
	annotate(f.cmd.Flags().Lookup(flag), "words", words...)
}

func annotate(flag *pflag.Flag, key string, values ...string) {
	if flag.Annotations == nil {
		flag.Annotations = map[string][]string{}
	}
	flag.Annotations["homelab_"+key] = values
}

// sizeValue is a flag that takes a size with its unit.
type sizeValue struct {
	typed string
	n     int
	parse func(string) (int, error)
}

func (v *sizeValue) String() string { return v.typed }
func (v *sizeValue) Type() string   { return "size" }

func (v *sizeValue) Set(text string) error {
	n, err := v.parse(text)
	if err != nil {
		return err
	}
	v.typed, v.n = text, n
	return nil
}

// trimmed drops empty items, so that `--profile ""` clears a list.
func trimmed(items []string) []string {
	out := []string{}
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// sameFlag lets JSON keys stand for flags: --memory_mib is --memory, and the
// plural of a list is its flag.
func sameFlag(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	name = strings.ReplaceAll(name, "_", "-")
	switch name {
	case "memory-mib", "disk-gib", "extra-disk-gib", "tmpfs-mib":
		name = name[:strings.LastIndexByte(name, '-')]
	case "profiles", "outlets", "groups", "ssh-keys", "headers", "shares", "packages", "options":
		name = strings.TrimSuffix(name, "s")
	}
	return pflag.NormalizedName(name)
}
