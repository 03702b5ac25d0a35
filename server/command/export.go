package command

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"homelab/model"
)

// exportFormat names the form of an export and its version.
const exportFormat = "homelab/2"

const exportHead = `# The desired state of a home lab, to read, to keep and to change: import < FILE takes it in, import --dry-run says
# what that would do. Who may connect is not in it. A secret is *** here, or named in an outlet's secrets, and stays
# where it is known.
`

func exportCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "The desired state as one file, to read and to keep",
		Long: `Write the desired state as one YAML file: settings, profiles, images, outlets,
Salt masters, hypervisors, VMs, shares and roles, each by name, so that a lab can
live in git. import takes it back: the same file changes nothing.

Who may connect is left out, and so are orders of the moment, such as what power
is wanted. Secrets are hidden, and stay where they are known; all of it, to
restore, is in a backup. What roles have as user-data is the lab's definition, and is
in the export of an admin as it was written: which roles have some is said, so that
a secret in it is noticed before the file is published.`,
		Example: "export > lab.yaml",
		Args:    exactly(),
	}
	asJSON := cmd.Flags().Bool("json", false, "the same in JSON")
	cmd.RunE = func(*cobra.Command, []string) error {
		sections, err := model.Document(withoutAnySecret(s.state()))
		if err != nil {
			return err
		}
		doc := yaml.MapSlice{{Key: "format", Value: exportFormat}}
		tree := map[string]any{"format": exportFormat}
		for _, sec := range sections {
			var value any = sec.Objects
			if sec.Kind == model.KindSettings {
				value = sec.Objects[0]
			} else if sec.Objects == nil {
				value = []json.RawMessage{}
			}
			tree[sec.Key] = value
			text, err := json.Marshal(value)
			if err != nil {
				return err
			}
			in, err := inOrder(json.NewDecoder(bytes.NewReader(text)))
			if err != nil {
				return err
			}
			doc = append(doc, yaml.MapItem{Key: sec.Key, Value: in})
		}
		if *asJSON {
			s.noteUserData()
			return s.printJSON(tree)
		}
		text, err := yaml.MarshalWithOptions(doc, yaml.IndentSequence(true), yaml.UseLiteralStyleIfMultiline(true))
		if err != nil {
			return err
		}
		write(s.io.Out, exportHead+string(text))
		s.noteUserData()
		return nil
	}
	return cmd
}

// noteUserData says whose user-data was just written out: nobody knows whether
// there is a secret in it.
func (s *session) noteUserData() {
	var names []string
	for _, name := range model.Names(s.state().Roles) {
		if data := s.state().Roles[name].UserData; data != "" && data != model.Withheld {
			names = append(names, name)
		}
	}
	roles := "role"
	if len(names) > 1 {
		roles = "roles"
	}
	if len(names) > 0 {
		s.notef("note: the user-data of %s %s is in it as it was written: look that it holds no secret before you publish the file", roles, andList(names))
	}
}

// withoutAnySecret is a state whose objects are as everybody may see them.
func withoutAnySecret(st *model.State) *model.State {
	st = st.Clone()
	for name, o := range st.Outlets {
		st.Outlets[name] = withoutSecrets(o)
	}
	return st
}

// inOrder reads a JSON value whose objects keep the order of their fields.
func inOrder(dec *json.Decoder) (any, error) {
	dec.UseNumber()
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('{'):
		m := yaml.MapSlice{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			value, err := inOrder(dec)
			if err != nil {
				return nil, err
			}
			m = append(m, yaml.MapItem{Key: fmt.Sprint(key), Value: value})
		}
		_, err := dec.Token()
		return m, err
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			value, err := inOrder(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := dec.Token()
		return list, err
	}
	if n, ok := tok.(json.Number); ok {
		if whole, err := n.Int64(); err == nil {
			return whole, nil
		}
		return n.Float64()
	}
	return tok, nil
}

// values are a map's values in the order of their names.
func values[T any](m map[string]T) []T {
	all := make([]T, 0, len(m))
	for _, name := range model.Names(m) {
		all = append(all, m[name])
	}
	return all
}
