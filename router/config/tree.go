package config

import (
	"fmt"
	"strconv"
)

// kind is the type of a node, in the words that problems use.
type kind string

const (
	kindNull   kind = "null"
	kindBool   kind = "a boolean"
	kindInt    kind = "an integer"
	kindNumber kind = "a number that is not an integer"
	kindString kind = "a string"
	kindList   kind = "a list"
	kindDict   kind = "a dict"
)

// The bounds on a file, far beyond what a configuration needs.
const (
	maxFileSize = 1 << 20 // bytes
	maxDepth    = 32
	maxNodes    = 100_000 // aliases counted as what they stand for
)

// node is one value of a file, whatever the file's format. A node that an alias
// refers to stands in several places.
type node struct {
	kind         kind
	line, column int
	text         string         // of a scalar, as its kind is written
	items        []*node        // of a list
	entries      []entry        // of a dict, in the order of the file
	index        map[string]int // of entries, by key
	size         int            // nodes in this tree
}

// entry is one key of a dict.
type entry struct {
	key          string
	line, column int
	value        *node
}

// add makes child one more item of a list.
func (n *node) add(child *node) {
	n.items = append(n.items, child)
	n.size += child.size
}

// put makes e one more entry of a dict. It returns the entry that has the key
// already, or nil.
func (n *node) put(e entry) *entry {
	if i, ok := n.index[e.key]; ok {
		return &n.entries[i]
	}
	if n.index == nil {
		n.index = map[string]int{}
	}
	n.index[e.key] = len(n.entries)
	n.entries = append(n.entries, e)
	n.size += e.value.size
	return nil
}

// syntaxError is a file that is no tree: not of its format, or over a bound.
type syntaxError struct {
	line, column int
	message      string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%d:%d: %s", e.line, e.column, e.message) }

func (n *node) tooDeep() *syntaxError {
	return &syntaxError{n.line, n.column, fmt.Sprintf("nested more than %d deep", maxDepth)}
}

func (n *node) tooLarge() *syntaxError {
	return &syntaxError{n.line, n.column, fmt.Sprintf("more than %d values", maxNodes)}
}

// twice says that e's key stands in its dict already, as first.
func (e entry) twice(first *entry) *syntaxError {
	return &syntaxError{e.line, e.column, fmt.Sprintf("the key %q is here twice; first at line %d", e.key, first.line)}
}

// join appends a dict's key to a path: a.b, or a["b c"] where b is no plain word.
func join(path, key string) string {
	if !plain(key) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func plain(key string) bool {
	for i := 0; i < len(key); i++ {
		c := key[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return key != ""
}
