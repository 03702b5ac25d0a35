package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"homelab/model"
)

func importCommand(s *session) *cobra.Command {
	return importFile(s, parent(
		&cobra.Command{Use: "import", Short: "Take in an export, or what another program knew", Annotations: map[string]string{aloneToo: "true"}},
		importHomelabmanager(s),
	))
}

const maxDump = 16 << 20

// importJSON is the answer of an import.
type importJSON struct {
	Revision uint64             `json:"revision"`
	DryRun   bool               `json:"dry_run"`
	Objects  []model.ImportLine `json:"objects"`
}

func importHomelabmanager(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "homelabmanager",
		Short: "Take over the hypervisors, profiles and VMs of homelabmanager",
		Long: `Take over the hypervisors, profiles and VMs of homelabmanager, from its dump on
standard input:

  manage.py dumpdata resources > resources.json

All of it or nothing. What is here already is never overwritten, so that it can
be repeated. Guests that it left running are not touched: see vm adopt.`,
		Example: "import homelabmanager --dry-run < resources.json",
		Args:    exactly(),
	}
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dump, err := s.input("the dump", maxDump)
		if err != nil {
			return err
		}
		imported, err := model.ImportHomelabmanager(s.state(), dump)
		if err != nil {
			return err
		}
		if *opts.dry {
			if _, err := s.lab.Preview(imported.Edit); err != nil {
				return err
			}
			return s.tellImport(importJSON{DryRun: true, Objects: imported.Lines}, *opts.json)
		}
		rev, err := s.lab.Commit(cmd.Context(), s.via, imported.Edit)
		if err != nil {
			return err
		}
		return s.tellImport(importJSON{Revision: rev.Number, Objects: imported.Lines}, *opts.json)
	}
	return cmd
}

func (s *session) tellImport(answer importJSON, asJSON bool) error {
	if asJSON {
		return s.printJSON(answer)
	}
	t := &table{header: []string{"object", "action", "note"}}
	for _, l := range answer.Objects {
		t.add(cell{text: l.Object}, cell{text: string(l.Action)}, cell{text: l.Note})
	}
	if len(t.rows) > 0 {
		s.printTable(t)
	}
	switch {
	case answer.DryRun:
		s.sayf("dry run: nothing is changed")
	case answer.Revision == 0:
		s.sayf("nothing changed: everything was here already")
	default:
		s.sayf("%s", fmt.Sprintf("revision %d: imported", answer.Revision))
	}
	return nil
}
