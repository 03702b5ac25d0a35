package tui

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"homelab/model"
)

// configText is the rendered config of a hypervisor, coloured once when it is
// read.
type configText struct {
	name    string
	digest  string // that was read, or is being read; empty is none
	lines   []line
	files   []int // the lines at which they begin
	err     error
	reading bool
}

// need reads the config if what is known of it is old.
func (c *configText) need(a *app) tea.Cmd {
	want := a.cache.status.Hypervisors[c.name].DesiredDigest
	if c.reading || c.lines != nil && c.digest == want {
		return nil
	}
	c.reading, c.digest = true, want
	return a.async(func(context.Context) done {
		config, err := a.lab.Config(c.name)
		var lines []line
		var files []int
		if err == nil {
			lines, files, err = coloured(config)
		}
		return func(a *app) tea.Cmd {
			c.reading = false
			c.lines, c.files, c.err = lines, files, err
			if err != nil {
				c.lines = []line{}
			}
			return nil
		}
	})
}

// coloured makes lines of the files of a tar, Terraform first.
func coloured(config []byte) (lines []line, starts []int, err error) {
	type file struct {
		name string
		text []byte
	}
	var files []file
	for r := tar.NewReader(bytes.NewReader(config)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("the config cannot be read: %w", err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return nil, nil, fmt.Errorf("the config cannot be read: %w", err)
		}
		files = append(files, file{h.Name, []byte(model.WithoutKeys(string(text)))})
	}
	rank := func(f file) int {
		switch {
		case strings.HasSuffix(f.name, ".tf"):
			return 0
		case strings.HasSuffix(f.name, ".json"):
			return 2 // the manifest: what the agent checks, for nobody to read
		}
		return 1
	}
	slices.SortStableFunc(files, func(x, y file) int { return rank(x) - rank(y) })
	for _, f := range files {
		starts = append(starts, len(lines))
		lines = append(lines, text(inkHead, "── "+f.name+" "+strings.Repeat("─", max(34-len(f.name), 1))))
		if rank(f) == 1 {
			lines = append(lines, colouredYAML(string(f.text))...)
		} else {
			lines = append(lines, colouredHCL(f.text)...) // whose strings and numbers JSON has too
		}
		lines = append(lines, nil)
	}
	return lines, starts, nil
}

// colouredHCL colours HCL by its own scanner.
func colouredHCL(src []byte) []line {
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos) // what is no HCL is text
	var out []line
	var l line
	put := func(s string, i ink) {
		for n, part := range strings.Split(s, "\n") {
			if n > 0 {
				out, l = append(out, l), nil
			}
			if part == "" {
				continue
			}
			if k := len(l); k > 0 && l[k-1].ink == i {
				l[k-1].text += part
			} else {
				l = append(l, span{part, i})
			}
		}
	}
	at := 0
	for n, t := range tokens {
		put(string(src[at:t.Range.Start.Byte]), inkText) // blanks
		put(string(t.Bytes), tokenInk(tokens, n))
		at = t.Range.End.Byte
	}
	if len(l) > 0 {
		out = append(out, l)
	}
	return out
}

// tokenInk is how a token looks.
func tokenInk(tokens hclsyntax.Tokens, n int) ink {
	switch t := tokens[n]; t.Type {
	case hclsyntax.TokenComment:
		return inkDim
	case hclsyntax.TokenOQuote, hclsyntax.TokenCQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit,
		hclsyntax.TokenOHeredoc, hclsyntax.TokenCHeredoc:
		return inkString
	case hclsyntax.TokenNumberLit:
		return inkNumber
	case hclsyntax.TokenIdent:
		switch word := string(t.Bytes); {
		case word == "true" || word == "false" || word == "null":
			return inkNumber
		case n+1 < len(tokens) && (tokens[n+1].Type == hclsyntax.TokenOQuote || tokens[n+1].Type == hclsyntax.TokenOBrace):
			return inkName // of a block
		}
		return inkText
	case hclsyntax.TokenOBrace, hclsyntax.TokenCBrace, hclsyntax.TokenOBrack, hclsyntax.TokenCBrack, hclsyntax.TokenEqual,
		hclsyntax.TokenComma, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateSeqEnd:
		return inkDim
	}
	return inkText
}

// colouredYAML colours the seeds of guests, line by line.
func colouredYAML(src string) []line {
	var out []line
	for l := range strings.Lines(src) {
		l = strings.TrimRight(l, "\n")
		key, value, found := strings.Cut(l, ": ")
		switch {
		case strings.HasPrefix(strings.TrimSpace(l), "#"):
			out = append(out, text(inkDim, l))
		case found && !strings.ContainsAny(strings.TrimLeft(key, " -"), " \"'"):
			out = append(out, line{{key, inkText}, {": ", inkDim}, {value, inkString}})
		default:
			out = append(out, text(inkText, l))
		}
	}
	return out
}

// draw says what there is to show.
func (c *configText) draw(a *app) []line {
	switch {
	case !a.may(model.RoleAdmin):
		return []line{nil, text(inkText, "  The config holds the seeds of guests: it is for admins.")}
	case c.err != nil:
		return append([]line{nil}, wrapped(inkBad, "  "+signFailed+" "+c.err.Error(), a.w-2, 4)...)
	case c.lines == nil:
		return []line{nil, text(inkDim, "  Reading …")}
	}
	return c.lines
}
