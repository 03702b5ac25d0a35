// Package userdata reads and merges cloud-init's user-data.
//
// It promises that what is merged is a map in YAML whose scalars mean to
// cloud-init, which reads YAML 1.1, what they meant where they came from, and
// that nothing that homelab sets itself is replaced: maps are merged, lists are
// appended, and a value that is there already is a conflict.
//
// It does not know cloud-init's modules, except for the keys that homelab sets.
package userdata

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Header is the first line of user-data of this kind.
const Header = "#cloud-config"

// maxDepth is how deep maps and lists may lie in each other.
const maxDepth = 32

var errDeep = errors.New("is nested too deep")

// Document is user-data: a map. It is immutable.
type Document struct{ root *node }

type kind int

const (
	scalar kind = iota
	list
	mapping
)

// node is a value. What a scalar says is kept as it is written, if it is plain,
// because that decides its type.
type node struct {
	kind  kind
	text  string // of a scalar, as it is written out
	value string // and what it says as a string
	items []item
}

type item struct {
	key   string // of a map; empty in a list
	plain bool   // the key can be written as it is
	value *node
}

// Parse reads user-data: one map in YAML, with or without its header. What else
// cloud-init takes for user-data is refused, and so are anchors, aliases and
// types of one's own.
func Parse(text string) (*Document, error) {
	first, _, _ := strings.Cut(text, "\n")
	first = strings.TrimRight(first, " \r")
	if other := otherKind(first); other != "" {
		return nil, fmt.Errorf("begins with %q: only a map in YAML is taken, with or without the line %s before it", other, Header)
	}
	tokens := lexer.Tokenize(text)
	if err := shallow(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, plainError(err)
	}
	var docs []*ast.DocumentNode
	for _, d := range file.Docs {
		if d.Body != nil {
			docs = append(docs, d)
		}
	}
	switch {
	case len(docs) == 0:
		return &Document{&node{kind: mapping}}, nil
	case len(docs) > 1:
		return nil, fmt.Errorf("is more than one document")
	}
	root, err := convert(docs[0].Body, 0)
	if err != nil {
		return nil, err
	}
	if root.kind != mapping {
		return nil, fmt.Errorf("is no map: it must be lines such as packages: [nginx]")
	}
	return &Document{root}, nil
}

// otherKind is how user-data of another kind begins, cut short.
func otherKind(first string) string {
	switch {
	case strings.HasPrefix(first, "#!"), strings.HasPrefix(first, "## template:"), strings.HasPrefix(first, "Content-Type:"), strings.HasPrefix(first, "MIME-Version:"):
	case strings.HasPrefix(first, "#include"), strings.HasPrefix(first, "#cloud-") && first != Header, strings.HasPrefix(first, "#upstart-job"), strings.HasPrefix(first, "#part-handler"):
	default:
		return ""
	}
	return first[:min(len(first), 40)]
}

// shallow refuses what is nested so deep that to read it would take its time.
func shallow(tokens token.Tokens) error {
	flow, entries, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, entries = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType:
			entries++
		}
		if flow > maxDepth || entries > maxDepth {
			return errDeep
		}
	}
	return nil
}

// plainError says what the parser found, without repeating the text.
func plainError(err error) error {
	var e yaml.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("is no YAML: %w", err)
	}
	if t := e.GetToken(); t != nil && t.Position != nil {
		return fmt.Errorf("is no YAML: line %d: %s", t.Position.Line, e.GetMessage())
	}
	return fmt.Errorf("is no YAML: %s", e.GetMessage())
}

func convert(n ast.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	switch n := n.(type) {
	case ast.MapNode:
		return convertMap(n, depth)
	case *ast.SequenceNode:
		all := &node{kind: list}
		for _, v := range n.Values {
			value, err := convert(v, depth+1)
			if err != nil {
				return nil, err
			}
			all.items = append(all.items, item{value: value})
		}
		return all, nil
	case *ast.TagNode:
		return convertTag(n, depth)
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return nil, at(n, "has an anchor or an alias: write out what is meant")
	}
	return convertScalar(n)
}

func at(n ast.Node, text string) error {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return fmt.Errorf("line %d %s", t.Position.Line, text)
	}
	return fmt.Errorf("%s", text)
}

func convertMap(n ast.MapNode, depth int) (*node, error) {
	all := &node{kind: mapping}
	for iter := n.MapRange(); iter.Next(); {
		key, err := convertScalar(iter.Key())
		if err != nil {
			return nil, err
		}
		if key.value == "<<" {
			return nil, at(iter.Key(), "merges a map: write out what is meant")
		}
		value, err := convert(iter.Value(), depth+1)
		if err != nil {
			return nil, err
		}
		if all.find(key.value) != nil {
			return nil, at(iter.Key(), fmt.Sprintf("has the key %q a second time", key.value))
		}
		all.items = append(all.items, item{key: key.value, plain: key.text == key.value && plainKey.MatchString(key.value), value: value})
	}
	return all, nil
}

// standard are the types that every reader of YAML knows.
var standard = []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!binary"}

func convertTag(n *ast.TagNode, depth int) (*node, error) {
	tag := n.Start.Value
	value, err := convert(n.Value, depth+1)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(standard, tag) || value.kind != scalar {
		return nil, at(n, fmt.Sprintf("has the type %q, which is not taken", tag))
	}
	return &node{text: tag + " " + value.text, value: value.value}, nil
}

// plainPattern is what can be written without quotes in any place, so that it
// is of whatever type it was of.
var plainPattern = regexp.MustCompile(`^[A-Za-z0-9~.+=/_-][A-Za-z0-9~.:+=/_-]*$`)

// plainKey is that for keys, which are read as what they look like.
var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

func convertScalar(n ast.Node) (*node, error) {
	var value string
	quoted := true
	switch n := n.(type) {
	case *ast.StringNode:
		value, quoted = n.Value, n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType
	case *ast.LiteralNode:
		value = n.Value.Value
	case *ast.NullNode:
		return &node{text: "null", value: "null"}, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		value, quoted = n.GetToken().Value, false
	case *ast.MergeKeyNode, *ast.AliasNode, *ast.AnchorNode:
		return nil, at(n, "has an anchor or an alias: write out what is meant")
	default:
		return nil, at(n, "is neither a map nor a list nor a plain value")
	}
	if !quoted && plainPattern.MatchString(value) && !strings.HasSuffix(value, ":") && value != "-" && !strings.HasPrefix(value, "---") && value != "..." {
		return &node{text: value, value: value}, nil
	}
	return &node{text: strconv.Quote(value), value: value}, nil
}

func (n *node) find(key string) *item {
	for i := range n.items {
		if n.items[i].key == key {
			return &n.items[i]
		}
	}
	return nil
}
