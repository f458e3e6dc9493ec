package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// parseYAML returns the tree of a YAML document. The error is a *syntaxError.
func parseYAML(data []byte) (n *node, err error) {
	// The library is not ours, and a saved file must not end the router.
	defer func() {
		if r := recover(); r != nil {
			n, err = nil, &syntaxError{1, 1, fmt.Sprintf("the YAML parser gave up: %v", r)}
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if e := checkTokens(tokens); e != nil {
		return nil, e
	}
	// Keys that are there twice are told by the conversion, with their path.
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		e := &syntaxError{1, 1, err.Error()}
		var ye yaml.Error
		if errors.As(err, &ye) {
			e.message = ye.GetMessage()
			e.line, e.column = position(ye.GetToken())
		}
		return nil, e
	}
	var body ast.Node
	for _, d := range f.Docs {
		if d.Body == nil {
			continue
		}
		if body != nil {
			line, column := position(d.Body.GetToken())
			return nil, &syntaxError{line, column, "a second document begins; a configuration is one document"}
		}
		body = d.Body
	}
	if body == nil {
		return nil, &syntaxError{1, 1, "the file is empty"}
	}
	c := yamlConverter{anchors: map[string]*node{}}
	return c.value(body, 0)
}

// checkTokens refuses what the parser would spend minutes on: its time grows
// with the square of the nesting.
func checkTokens(tokens token.Tokens) *syntaxError {
	flow, dashes, line := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType:
			if t.Position.Line != line {
				line, dashes = t.Position.Line, 0
			}
			dashes++
		}
		if flow > maxDepth || dashes > maxDepth {
			l, c := position(t)
			return &syntaxError{l, c, fmt.Sprintf("nested more than %d deep", maxDepth)}
		}
	}
	return nil
}

func position(t *token.Token) (line, column int) {
	if t == nil || t.Position == nil {
		return 1, 1
	}
	return max(t.Position.Line, 1), max(t.Position.Column, 1)
}

// yamlConverter turns the library's tree into ours.
type yamlConverter struct {
	anchors map[string]*node // complete ones: an alias inside its own anchor is unknown
}

func (c *yamlConverter) value(v ast.Node, depth int) (*node, error) {
	n := &node{size: 1}
	n.line, n.column = position(v.GetToken())
	if depth >= maxDepth {
		return nil, n.tooDeep()
	}
	var err error
	switch v := v.(type) {
	case *ast.NullNode:
		n.kind = kindNull
	case *ast.BoolNode:
		n.kind, n.text = kindBool, "false"
		if v.Value {
			n.text = "true"
		}
	case *ast.IntegerNode:
		n.kind, n.text = kindInt, fmt.Sprint(v.Value)
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		n.kind, n.text = kindNumber, v.GetToken().Value
	case *ast.StringNode:
		n.kind, n.text = kindString, v.Value
	case *ast.LiteralNode:
		n.kind, n.text = kindString, v.Value.Value
	case *ast.SequenceNode:
		err = c.list(n, v, depth)
	case *ast.MappingNode:
		err = c.dict(n, v.Values, depth)
	case *ast.MappingValueNode:
		err = c.dict(n, []*ast.MappingValueNode{v}, depth)
	case *ast.AnchorNode:
		if n, err = c.value(v.Value, depth+1); err == nil {
			c.anchors[v.Name.GetToken().Value] = n
		}
	case *ast.AliasNode:
		name := v.Value.GetToken().Value
		a := c.anchors[name]
		if a == nil {
			return nil, &syntaxError{n.line, n.column, fmt.Sprintf("there is no anchor &%s before this alias", name)}
		}
		return a, nil
	case *ast.TagNode:
		return nil, &syntaxError{n.line, n.column, fmt.Sprintf("the tag %s is not understood: write the plain value, quoted where it shall be a string", v.GetToken().Value)}
	default:
		return nil, &syntaxError{n.line, n.column, fmt.Sprintf("%s is not understood here", strings.ToLower(v.Type().YAMLName()))}
	}
	if err != nil {
		return nil, err
	}
	if n.size > maxNodes {
		return nil, n.tooLarge()
	}
	return n, nil
}

func (c *yamlConverter) list(n *node, v *ast.SequenceNode, depth int) error {
	n.kind = kindList
	for _, item := range v.Values {
		child, err := c.value(item, depth+1)
		if err != nil {
			return err
		}
		n.add(child)
	}
	return nil
}

func (c *yamlConverter) dict(n *node, values []*ast.MappingValueNode, depth int) error {
	n.kind = kindDict
	for i, v := range values {
		e, err := c.key(v.Key)
		if err != nil {
			return err
		}
		// A block's own token is its first colon; people look for its first key.
		if i == 0 && (e.line < n.line || e.line == n.line && e.column < n.column) {
			n.line, n.column = e.line, e.column
		}
		if e.value, err = c.value(v.Value, depth+1); err != nil {
			return err
		}
		if first := n.put(e); first != nil {
			return e.twice(first)
		}
	}
	return nil
}

func (c *yamlConverter) key(k ast.MapKeyNode) (entry, error) {
	t := k.GetToken()
	line, column := position(t)
	switch k := k.(type) {
	case *ast.StringNode:
		return entry{key: k.Value, line: line, column: column}, nil
	case *ast.IntegerNode, *ast.BoolNode, *ast.NullNode, *ast.FloatNode:
		// A principal may well be called 007 or null: a key is what it looks like.
		return entry{key: t.Value, line: line, column: column}, nil
	}
	return entry{}, &syntaxError{line, column, "only a plain or quoted word can be a key here"}
}
