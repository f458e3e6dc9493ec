package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// parseJSON returns the tree of a JSON document. The error is a *syntaxError.
func parseJSON(data []byte) (*node, error) {
	p := &jsonParser{data: data, d: json.NewDecoder(bytes.NewReader(data))}
	p.d.UseNumber()
	n, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := p.d.Token(); !errors.Is(err, io.EOF) {
		line, column := p.position()
		return nil, &syntaxError{line, column, "more follows after the end of the document"}
	}
	return n, nil
}

// jsonParser reads tokens and keeps count of lines.
type jsonParser struct {
	data []byte
	d    *json.Decoder

	offset, line, lineStart int // how far lines are counted, lines before, offset of the last one's start
}

// position is where the token begins that the decoder reads next.
func (p *jsonParser) position() (line, column int) {
	to := int(p.d.InputOffset())
	for to < len(p.data) && strings.IndexByte(" \t\r\n,:", p.data[to]) >= 0 {
		to++
	}
	return p.at(to)
}

// at turns an offset, not before the last one asked for, into line and column.
func (p *jsonParser) at(to int) (line, column int) {
	for ; p.offset < to && p.offset < len(p.data); p.offset++ {
		if p.data[p.offset] == '\n' {
			p.line++
			p.lineStart = p.offset + 1
		}
	}
	return p.line + 1, utf8.RuneCount(p.data[p.lineStart:p.offset]) + 1
}

func (p *jsonParser) token() (json.Token, error) {
	t, err := p.d.Token()
	if err == nil {
		return t, nil
	}
	e := &syntaxError{message: strings.TrimPrefix(err.Error(), "json: ")}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		e.line, e.column = p.at(max(int(syntax.Offset)-1, p.offset))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.message = "the file ends too early"
		e.line, e.column = p.at(len(p.data))
	default:
		e.line, e.column = p.position()
	}
	return nil, e
}

func (p *jsonParser) value(depth int) (*node, error) {
	n := &node{size: 1}
	n.line, n.column = p.position()
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	if depth >= maxDepth {
		return nil, n.tooDeep()
	}
	switch t := t.(type) {
	case nil:
		n.kind = kindNull
	case bool:
		n.kind, n.text = kindBool, "false"
		if t {
			n.text = "true"
		}
	case string:
		n.kind, n.text = kindString, t
	case json.Number:
		n.kind, n.text = kindInt, t.String()
		if strings.ContainsAny(n.text, ".eE") {
			n.kind = kindNumber
		}
	case json.Delim:
		if t == '[' {
			err = p.list(n, depth)
		} else {
			err = p.dict(n, depth)
		}
		if err != nil {
			return nil, err
		}
		_, err = p.token() // the closing bracket
	}
	if err == nil && n.size > maxNodes {
		err = n.tooLarge()
	}
	return n, err
}

func (p *jsonParser) list(n *node, depth int) error {
	n.kind = kindList
	for p.d.More() {
		item, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		n.add(item)
	}
	return nil
}

func (p *jsonParser) dict(n *node, depth int) error {
	n.kind = kindDict
	for p.d.More() {
		var e entry
		e.line, e.column = p.position()
		t, err := p.token()
		if err != nil {
			return err
		}
		e.key, _ = t.(string) // the decoder takes nothing else for a key
		if e.value, err = p.value(depth + 1); err != nil {
			return err
		}
		if first := n.put(e); first != nil {
			return e.twice(first)
		}
	}
	return nil
}
