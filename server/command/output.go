package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"
)

// Colours say something: red is wrong, yellow wants attention, green is well,
// faint is of no interest. The session's writer takes them away where the
// other side cannot show them.
type colour string

const (
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	faint  colour = "2"
	bold   colour = "1"
)

// paint colours text on a terminal.
func (s *session) paint(c colour, text string) string {
	if !s.io.PTY || s.plain || c == "" || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[m"
}

// sayf writes a line for people; values must be clean.
func (s *session) sayf(format string, args ...any) { fmt.Fprintf(s.io.Out, format+"\n", args...) }

// notef writes a line beside the output proper, on standard error.
func (s *session) notef(format string, args ...any) { fmt.Fprintf(s.io.Err, format+"\n", args...) }

// jsonFlag adds --json to a command that reads.
func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "answer in JSON")
}

// printJSON writes a value, indented, for scripts and people alike.
func (s *session) printJSON(v any) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = s.io.Out.Write(b.Bytes())
	return err
}

// printLine writes a value as one line of JSON.
func (s *session) printLine(v any) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	_, err = s.io.Out.Write(append(text, '\n'))
	return err
}

// encode writes JSON that holds no null where a list belongs, and no character
// that a terminal obeys: encoding/json lets C1 controls pass.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(filled(reflect.ValueOf(v)).Interface()); err != nil {
		return nil, err
	}
	text := bytes.TrimRight(b.Bytes(), "\n")
	if !bytes.ContainsFunc(text, isC1) {
		return text, nil
	}
	var safe bytes.Buffer
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if isC1(r) {
			fmt.Fprintf(&safe, `\u%04x`, r)
		} else {
			safe.Write(text[:n])
		}
		text = text[n:]
	}
	return safe.Bytes(), nil
}

func isC1(r rune) bool { return r >= 0x7f && r <= 0x9f }

// filled copies a value, with empty slices for nil ones.
func filled(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			c.Index(i).Set(filled(v.Index(i)))
		}
		return c
	case reflect.Struct:
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		for i := range v.NumField() {
			left := v.Field(i).IsZero() && strings.Contains(v.Type().Field(i).Tag.Get("json"), ",omitzero")
			if v.Type().Field(i).IsExported() && !left {
				c.Field(i).Set(filled(v.Field(i)))
			}
		}
		return c
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		return filled(v.Elem())
	}
	return v
}

// cell is one value of a table, coloured as a whole.
type cell struct {
	text   string
	colour colour
}

func plainCell(format string, args ...any) cell { return cell{text: fmt.Sprintf(format, args...)} }

// table aligns rows under upper-case headers. It never wraps: on a terminal
// that is too narrow, the widest columns are cut.
type table struct {
	header []string
	rows   [][]cell
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

func (s *session) printTable(t *table) {
	if s.plain {
		s.sayTable(t)
		return
	}
	widths := make([]int, len(t.header))
	for i, h := range t.header {
		widths[i] = width(h)
	}
	for _, row := range t.rows {
		for i := range row {
			row[i].text = clean(row[i].text)
			widths[i] = max(widths[i], width(row[i].text))
		}
	}
	if s.io.PTY && s.io.Width > 0 {
		squeeze(widths, s.io.Width)
	}
	var b strings.Builder
	header := make([]cell, len(t.header))
	for i, h := range t.header {
		header[i] = cell{strings.ToUpper(h), faint}
	}
	s.tableRow(&b, header, widths)
	for _, row := range t.rows {
		s.tableRow(&b, row, widths)
	}
	write(s.io.Out, b.String())
}

const columnGap = 2

func (s *session) tableRow(b *strings.Builder, row []cell, widths []int) {
	pending := 0
	for i, c := range row {
		text := c.text
		if width(text) > widths[i] {
			text = ansi.Truncate(text, widths[i], "…")
		}
		if text != "" {
			b.WriteString(strings.Repeat(" ", pending))
			b.WriteString(s.paint(c.colour, text))
			pending = 0
		}
		pending += widths[i] - width(text) + columnGap
	}
	b.WriteByte('\n')
}

// width is how many columns text takes on a terminal.
func width(text string) int {
	if plain(text) {
		return len(text)
	}
	return ansi.StringWidth(text)
}

// squeeze narrows the widest columns until the table fits, down to 4 columns
// each.
func squeeze(widths []int, room int) {
	total := columnGap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > room; total-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= 4 {
			return
		}
		widths[widest]--
	}
}

// pair is one line of a detail page.
type pair struct {
	label string
	cell  cell
}

// printPairs writes a thing's detail, label and value.
func (s *session) printPairs(pairs []pair) {
	if s.plain {
		s.sayPairs(pairs)
		return
	}
	width := 0
	for _, p := range pairs {
		width = max(width, len(p.label))
	}
	var b strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&b, "%s%s  %s\n", s.paint(faint, p.label), strings.Repeat(" ", width-len(p.label)), s.paint(p.cell.colour, clean(p.cell.text)))
	}
	write(s.io.Out, b.String())
}
