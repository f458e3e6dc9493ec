package lua51

import (
	"fmt"
	"strings"
)

// tokenKind is a single byte of the source, or one of the constants below.
type tokenKind int

const (
	tkAnd tokenKind = iota + 257
	tkBreak
	tkDo
	tkElse
	tkElseif
	tkEnd
	tkFalse
	tkFor
	tkFunction
	tkIf
	tkIn
	tkLocal
	tkNil
	tkNot
	tkOr
	tkRepeat
	tkReturn
	tkThen
	tkTrue
	tkUntil
	tkWhile
	tkConcat // ..
	tkDots   // ...
	tkEq     // ==
	tkGe     // >=
	tkLe     // <=
	tkNe     // ~=
	tkNumber
	tkName
	tkString
	tkEOF
)

const firstKeyword, lastKeyword = tkAnd, tkWhile

// tokenText is the spelling of the kinds from tkAnd on, in order.
var tokenText = [...]string{
	"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in",
	"local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
	"..", "...", "==", ">=", "<=", "~=", "<number>", "<name>", "<string>", "<eof>",
}

func (k tokenKind) String() string {
	switch {
	case k >= firstKeyword:
		return tokenText[k-firstKeyword]
	case k < 32 || k == 127:
		return fmt.Sprintf("char(%d)", int(k))
	default:
		return string([]byte{byte(k)})
	}
}

type token struct {
	kind       tokenKind
	text       string // of a name or a string
	number     float64
	start, end int // in the source
}

// keyword returns the kind of a reserved word. "goto" is a name in Lua 5.1.
func keyword(name string) (tokenKind, bool) {
	for k := firstKeyword; k <= lastKeyword; k++ {
		if tokenText[k-firstKeyword] == name {
			return k, true
		}
	}
	return 0, false
}

// lexer cuts a source text into tokens, one ahead of the parser. Its errors
// leave it by panic, as *SyntaxError, and end in Compile.
type lexer struct {
	file     string
	src      []byte
	pos      int
	line     int // of the next byte
	lastLine int // of the last token consumed
	tok      token
	ahead    *token
	start    int // of the token that is being scanned
}

// eof is what the lexer sees behind the last byte.
const eof = -1

func newLexer(file string, src []byte) *lexer {
	x := &lexer{file: file, src: src, line: 1, lastLine: 1}
	if len(src) > 0 && src[0] == '#' { // a Unix executable's first line
		for x.cur() != eof && x.cur() != '\n' {
			x.pos++
		}
	}
	return x
}

func (x *lexer) cur() int {
	if x.pos < len(x.src) {
		return int(x.src[x.pos])
	}
	return eof
}

func (x *lexer) peek(n int) int {
	if x.pos+n < len(x.src) {
		return int(x.src[x.pos+n])
	}
	return eof
}

// next consumes the current token.
func (x *lexer) next() {
	x.lastLine = x.line
	if x.ahead != nil {
		x.tok, x.ahead = *x.ahead, nil
		return
	}
	x.tok = x.whole()
}

// whole scans a token with its place.
func (x *lexer) whole() token {
	t := x.scan()
	t.start, t.end = x.start, x.pos
	return t
}

// lookahead returns the kind of the token behind the current one.
func (x *lexer) lookahead() tokenKind {
	t := x.whole()
	x.ahead = &t
	return t.kind
}

// fail reports an error near the given text; "" leaves that out.
func (x *lexer) fail(message, near string) {
	if near != "" {
		message += " near '" + near + "'"
	}
	panic(&SyntaxError{File: x.file, Line: x.line, Message: message})
}

// failNear reports an error at the current token.
func (x *lexer) failNear(message string) {
	switch x.tok.kind {
	case tkName, tkString, tkNumber:
		x.fail(message, string(x.src[x.tok.start:min(x.tok.end, x.tok.start+80)]))
	default:
		x.fail(message, x.tok.kind.String())
	}
}

// newline consumes one line end: \n, \r, \r\n or \n\r.
func (x *lexer) newline() {
	first := x.cur()
	x.pos++
	if c := x.cur(); (c == '\n' || c == '\r') && c != first {
		x.pos++
	}
	x.line++
}

func (x *lexer) scan() token {
	for {
		x.start = x.pos
		c := x.cur()
		switch c {
		case eof:
			return token{kind: tkEOF}
		case '\n', '\r':
			x.newline()
			continue
		case ' ', '\t', '\v', '\f':
			x.pos++
			continue
		case '-':
			if x.peek(1) != '-' {
				x.pos++
				return token{kind: '-'}
			}
			x.comment()
			continue
		case '[':
			if level, ok := x.longBracket(); ok {
				return token{kind: tkString, text: x.longText(level, false)}
			} else if level >= 0 && x.peek(1) == '=' {
				x.fail("invalid long string delimiter", string(x.src[x.start:x.start+level+1]))
			}
			x.pos++
			return token{kind: '['}
		case '=':
			return x.operator('=', tkEq)
		case '<':
			return x.operator('=', tkLe)
		case '>':
			return x.operator('=', tkGe)
		case '~':
			return x.operator('=', tkNe)
		case '"', '\'':
			return token{kind: tkString, text: x.quoted(byte(c))}
		case '.':
			switch {
			case x.peek(1) == '.' && x.peek(2) == '.':
				x.pos += 3
				return token{kind: tkDots}
			case x.peek(1) == '.':
				x.pos += 2
				return token{kind: tkConcat}
			case x.peek(1) >= '0' && x.peek(1) <= '9':
				return x.numeral()
			}
			x.pos++
			return token{kind: '.'}
		}
		switch {
		case isDigit(byte(c)):
			return x.numeral()
		case isLetter(byte(c)) || c == '_':
			for c := x.cur(); c != eof && (isAlphanumeric(byte(c)) || c == '_'); c = x.cur() {
				x.pos++
			}
			name := string(x.src[x.start:x.pos])
			if k, ok := keyword(name); ok {
				return token{kind: k}
			}
			return token{kind: tkName, text: name}
		}
		x.pos++
		return token{kind: tokenKind(c)}
	}
}

// operator consumes one byte, or two where the second makes it the longer kind.
func (x *lexer) operator(second int, longer tokenKind) token {
	c := x.cur()
	x.pos++
	if x.cur() == second {
		x.pos++
		return token{kind: longer}
	}
	return token{kind: tokenKind(c)}
}

func (x *lexer) numeral() token {
	for c := x.cur(); c != eof && (isDigit(byte(c)) || c == '.'); c = x.cur() {
		x.pos++
	}
	if c := x.cur(); c == 'e' || c == 'E' {
		x.pos++
		if c := x.cur(); c == '+' || c == '-' {
			x.pos++
		}
	}
	for c := x.cur(); c != eof && (isAlphanumeric(byte(c)) || c == '_'); c = x.cur() {
		x.pos++
	}
	text := string(x.src[x.start:x.pos])
	n, ok := ParseNumber(text)
	if !ok {
		x.fail("malformed number", text)
	}
	return token{kind: tkNumber, number: float64(n)}
}

// longBracket reports whether a long bracket opens here, and the number of its
// equals signs; it does not move.
func (x *lexer) longBracket() (int, bool) {
	level := 0
	for x.peek(1+level) == '=' {
		level++
	}
	return level, x.peek(1+level) == '['
}

func (x *lexer) comment() {
	x.pos += 2
	if x.cur() == '[' {
		if level, ok := x.longBracket(); ok {
			x.longText(level, true)
			return
		}
	}
	for c := x.cur(); c != eof && c != '\n' && c != '\r'; c = x.cur() {
		x.pos++
	}
}

// longText consumes a long string or comment and returns its text.
func (x *lexer) longText(level int, comment bool) string {
	x.pos += level + 2
	if c := x.cur(); c == '\n' || c == '\r' {
		x.newline()
	}
	closing := "]" + strings.Repeat("=", level) + "]"
	var b strings.Builder
	for {
		switch c := x.cur(); c {
		case eof:
			what := "string"
			if comment {
				what = "comment"
			}
			x.fail("unfinished long "+what, tkEOF.String())
		case '[':
			if level == 0 && x.peek(1) == '[' {
				x.fail("nesting of [[...]] is deprecated", "[")
			}
			b.WriteByte('[')
			x.pos++
		case ']':
			if strings.HasPrefix(string(x.src[x.pos:min(len(x.src), x.pos+len(closing))]), closing) {
				x.pos += len(closing)
				return b.String()
			}
			b.WriteByte(']')
			x.pos++
		case '\n', '\r':
			x.newline()
			b.WriteByte('\n')
		default:
			b.WriteByte(byte(c))
			x.pos++
		}
	}
}

func (x *lexer) quoted(quote byte) string {
	x.pos++
	var b strings.Builder
	for {
		switch c := x.cur(); c {
		case eof:
			x.fail("unfinished string", tkEOF.String())
		case '\n', '\r':
			x.fail("unfinished string", string(x.src[x.start:x.pos]))
		case int(quote):
			x.pos++
			return b.String()
		case '\\':
			x.pos++
			x.escape(&b)
		default:
			b.WriteByte(byte(c))
			x.pos++
		}
	}
}

// simpleEscapes are the letters behind a backslash and what they stand for.
const simpleEscapes = "a\ab\bf\fn\nr\rt\tv\v"

// escape consumes what follows a backslash.
func (x *lexer) escape(b *strings.Builder) {
	c := x.cur()
	switch {
	case c == eof:
		return // quoted reports it
	case c == '\n' || c == '\r':
		x.newline()
		b.WriteByte('\n')
		return
	case isDigit(byte(c)):
		n, backslash := 0, x.pos-1
		for i := 0; i < 3 && x.cur() != eof && isDigit(byte(x.cur())); i++ {
			n = n*10 + x.cur() - '0'
			x.pos++
		}
		if n > 255 {
			x.fail("escape sequence too large", string(x.src[x.start:backslash]))
		}
		b.WriteByte(byte(n))
		return
	}
	x.pos++
	for i := 0; i < len(simpleEscapes); i += 2 {
		if int(simpleEscapes[i]) == c {
			b.WriteByte(simpleEscapes[i+1])
			return
		}
	}
	b.WriteByte(byte(c))
}
