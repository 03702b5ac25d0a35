package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// options are the flags that every command has that changes something.
type options struct {
	yes, dry, json *bool
}

func mutating(cmd *cobra.Command) options {
	f := cmd.Flags()
	return options{
		yes:  f.BoolP("yes", "y", false, "do not ask, go on"),
		dry:  f.Bool("dry-run", false, "say what would happen, and do nothing"),
		json: f.Bool("json", false, "answer in JSON"),
	}
}

// change is one edit of the desired state on behalf of a command.
type change struct {
	edit model.Edit
	done string // such as "VM web is enabled", for people
	same string // said when the edit changes nothing; empty is done
	// expected tells of an impact that the command's own words say already,
	// so that nobody is asked about it; losing a disk is never expected.
	expected func(model.Impact) bool
	// revert commits by undoing this revision rather than by the edit, which
	// serves the preview only.
	revert uint64
	// ask is what else the person must agree to.
	ask []string
	// then runs once the outcome is told; what it says it says on standard
	// error.
	then func(changed bool) error
}

// errMoved says that somebody committed between the preview and the commit.
var errMoved = errors.New("the lab changed meanwhile")

// commit shows what an edit does, asks where it hurts, commits it and says what
// was done. What is committed is what was previewed: when somebody else was
// quicker, it starts again and asks again if there is something new to ask.
func (s *session) commit(ctx context.Context, opts options, c change) error {
	var agreed []string
	for range 20 {
		base := s.state().Revision
		impacts, err := s.lab.Preview(c.edit)
		if err != nil {
			return err
		}
		if *opts.dry {
			return s.tell(opts, c, model.Revision{}, impacts)
		}
		q := c.question(impacts)
		if len(q.damage) > 0 && !slices.Equal(q.damage, agreed) {
			if err := s.confirm(ctx, q, *opts.yes); err != nil {
				return err
			}
			agreed = q.damage
		}
		rev, err := s.carryOut(ctx, c, base)
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return err
		}
		return s.tell(opts, c, rev, impacts)
	}
	return hint(errMoved, "others are changing the lab right now; try again in a moment")
}

func (s *session) carryOut(ctx context.Context, c change, base uint64) (model.Revision, error) {
	if c.revert != 0 {
		return s.lab.Undo(ctx, s.via, c.revert)
	}
	return s.lab.Commit(ctx, s.via, func(st *model.State) error {
		if st.Revision != base {
			return errMoved
		}
		return c.edit(st)
	})
}

// question finds what in the impacts must be agreed to.
func (c change) question(impacts []model.Impact) question {
	damage := model.DamageOf(impacts)
	if c.expected != nil {
		damage.Interrupted = slices.DeleteFunc(damage.Interrupted, c.expected)
	}
	q := question{damage: slices.Clone(c.ask)}
	if text := damage.String(); text != "" {
		q.damage = append(q.damage, few(strings.Split(text, "\n"))...)
	}
	for _, i := range impacts {
		if len(i.DisksLost) == 0 && !slices.ContainsFunc(damage.Interrupted, func(d model.Impact) bool { return d.Hypervisor == i.Hypervisor && d.ID == i.ID }) {
			q.beside = append(q.beside, fmt.Sprintf("%s: %s", i.Hypervisor, i.Would()))
		}
	}
	q.beside = few(q.beside)
	var losing []string
	for _, i := range damage.Lost {
		losing = append(losing, i.VM)
	}
	switch losing = unique(losing); len(losing) {
	case 0:
	case 1:
		q.word = losing[0]
	default:
		q.word = "destroy " + count(len(losing), "VM", "VMs")
	}
	return q
}

// mostLines is how many VMs a person is told about one by one.
const mostLines = 30

func few(lines []string) []string {
	if len(lines) <= mostLines {
		return lines
	}
	return append(lines[:mostLines:mostLines], fmt.Sprintf("and %d more like these; --dry-run --json names all", len(lines)-mostLines))
}

// outcome is what a command that changes something answers in JSON. Revision is
// 0 when nothing changed, or nothing was to be changed.
type outcome struct {
	Revision uint64         `json:"revision"`
	Changed  bool           `json:"changed"`
	DryRun   bool           `json:"dry_run,omitempty"`
	Impacts  []model.Impact `json:"impacts"`
}

// tell says what was done and what will happen.
func (s *session) tell(opts options, c change, rev model.Revision, impacts []model.Impact) error {
	changed := rev.Number != 0
	if *opts.json {
		if err := s.printJSON(outcome{Revision: rev.Number, Changed: changed, DryRun: *opts.dry, Impacts: impacts}); err != nil || *opts.dry {
			return err
		}
		return c.after(changed)
	}
	switch {
	case *opts.dry:
		s.sayf("dry run: nothing is changed")
	case !changed:
		s.sayf("%s", clean(or(c.same, c.done))+" already; nothing changed")
		return c.after(false)
	default:
		s.sayf("revision %d: %s", rev.Number, clean(c.done))
	}
	for _, i := range impacts[:min(len(impacts), mostLines)] {
		s.tellImpact(i)
	}
	if more := len(impacts) - mostLines; more > 0 {
		s.sayf("  and %s more; --json names all", count(more, "VM", "VMs"))
	}
	if *opts.dry && len(impacts) == 0 {
		s.sayf("  no guest is touched")
	}
	if *opts.dry {
		return nil
	}
	var touched []string
	for _, i := range impacts {
		touched = append(touched, i.Hypervisor)
	}
	s.noteHeld(touched)
	s.noteRebuild(impacts)
	s.noteTight(impacts)
	return c.after(true)
}

func (c change) after(changed bool) error {
	if c.then == nil {
		return nil
	}
	return c.then(changed)
}

func (s *session) tellImpact(i model.Impact) {
	var c colour
	switch {
	case len(i.DisksLost) > 0:
		c = red
	case i.Running:
		c = yellow
	}
	s.sayf("  %s: %s", clean(i.Hypervisor), s.paint(c, clean(i.String())))
}
