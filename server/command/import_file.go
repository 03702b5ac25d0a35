package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"homelab/model"
)

// maxExport bounds an exported file, in bytes.
const maxExport = 16 << 20

const importLong = `Take in the desired state from a file that export wrote, on standard input, as one
change. What it has is added or changed; what it lacks stays, unless --remove is
given: then it is removed, of those kinds that the file has. What would happen is
said first with --dry-run, and asked about where something is removed or lost.

Fields that are left out are as of a new object. Orders about power, holds, users,
keys and agents stay as they are, and so do secrets that the file hides.`

// importFile makes the command that takes an export in of the parent of the
// importers of other programs' files.
func importFile(s *session, cmd *cobra.Command) *cobra.Command {
	others := cmd.RunE
	cmd.Long, cmd.Example = importLong, "import --dry-run < lab.yaml\nimport --remove --yes < lab.yaml"
	opts := mutating(cmd)
	remove := cmd.Flags().Bool("remove", false, "remove what the file does not have")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return others(cmd, args)
		}
		text, err := s.input("the file", maxExport)
		if err != nil {
			return err
		}
		from, err := s.readExport(text)
		if err != nil {
			return err
		}
		edit := model.Merge(from, *remove)
		changes, err := changesOf(s.state(), edit)
		if err != nil {
			return err
		}
		if !*opts.json {
			s.tellChanges(changes)
		}
		return s.commit(cmd.Context(), opts, change{
			edit: edit, done: "the file is taken in", same: "the lab is as in the file", ask: removed(changes),
			then: func(bool) error { s.tellMissing(model.Revision{Changes: changes}); return nil },
		})
	}
	return cmd
}

// readExport makes a state of an exported file.
func (s *session) readExport(text []byte) (*model.State, error) {
	tree, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("this is no YAML: %s", yaml.FormatError(err, false, false))
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(tree, &doc); err != nil || doc["format"] == nil {
		return nil, &usageError{err: errors.New("this is no file that export wrote: it has no format"), hint: "the dump of homelabmanager is taken over by: import homelabmanager"}
	}
	if f := strings.Trim(strings.TrimSpace(string(doc["format"])), `"`); f != exportFormat {
		return nil, fmt.Errorf("the file has the format %q, and this server reads %s", cut(f, 40), exportFormat)
	}
	delete(doc, "format")
	from, err := model.ReadDocument(doc, s.state())
	if err != nil {
		return nil, err
	}
	return from, s.unhide(from)
}

// unhide gives hidden values of a file what they are here.
func (s *session) unhide(from *model.State) error {
	var errs []error
	now := s.state()
	for name, o := range from.Outlets {
		here := now.Outlets[name]
		at, open, shut := hideable(&o), hideable(&here), hideable(ptr(withoutSecrets(here)))
		for i, field := range at {
			if !strings.Contains(*field, hidden) {
				continue
			}
			if i >= len(open) || *field != *shut[i] {
				errs = append(errs, fmt.Errorf("outlet %q: %q is hidden in the file and not known here: write it out, or name it in its secrets", name, cut(*field, 80)))
				continue
			}
			*field = *open[i]
		}
		from.Outlets[name] = o
	}
	for name, r := range from.Roles {
		if r.UserData == model.Withheld {
			r.UserData = now.Roles[name].UserData
			from.Roles[name] = r
		}
	}
	return errors.Join(errs...)
}

func ptr[T any](v T) *T { return &v }

// hideable are the fields of an outlet that [withoutSecrets] may hide.
func hideable(o *model.Outlet) []*string {
	o.HTTP.Headers = append([]string(nil), o.HTTP.Headers...)
	at := []*string{&o.HTTP.OnURL, &o.HTTP.OffURL, &o.HTTP.StatusURL, &o.HTTP.OnBody, &o.HTTP.OffBody}
	for i := range o.HTTP.Headers {
		at = append(at, &o.HTTP.Headers[i])
	}
	return at
}

// changesOf are the objects that an edit would change.
func changesOf(st *model.State, edit model.Edit) ([]model.ObjectChange, error) {
	after := st.Clone()
	if err := edit(after); err != nil {
		return nil, err
	}
	return model.Diff(st, after)
}

func (s *session) tellChanges(changes []model.ObjectChange) {
	if len(changes) == 0 {
		return
	}
	t := &table{header: []string{"object", "action"}}
	for _, c := range changes {
		switch {
		case c.Before == nil:
			t.add(cell{text: thing(c.Ref)}, cell{"add", green})
		case c.After == nil:
			t.add(cell{text: thing(c.Ref)}, cell{"remove", red})
		default:
			t.add(cell{text: thing(c.Ref)}, cell{"change", yellow})
		}
	}
	s.printTable(t)
}

// removed says what would be removed.
func removed(changes []model.ObjectChange) []string {
	var lines []string
	for _, c := range changes {
		if c.After == nil {
			lines = append(lines, thing(c.Ref)+" would be removed")
		}
	}
	return few(lines)
}
