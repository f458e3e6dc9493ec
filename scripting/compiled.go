package scripting

import (
	"fmt"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// compiled keeps what scripts were compiled to, so that a reload compiles only
// what changed. Its methods may be called concurrently.
type compiled struct {
	coverage *lua51.Coverage // may be nil

	mu    sync.Mutex
	files map[string]compiledFile
}

type compiledFile struct {
	digest digest
	proto  *lua.FunctionProto
	err    error
}

func newCompiled(c *lua51.Coverage) *compiled {
	return &compiled{coverage: c, files: map[string]compiledFile{}}
}

// compile returns a file's prototype. Only the latest text of each name is kept.
func (c *compiled) compile(f *file) (*lua.FunctionProto, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.files[f.name]; ok && known.digest == f.digest {
		return known.proto, known.err
	}
	result := compiledFile{digest: f.digest}
	if f.toolong {
		result.err = fmt.Errorf("%s:1: the file is longer than the limit (%d bytes)", f.name, f.size)
	} else {
		result.proto, result.err = c.coverage.Compile(f.name, f.source)
	}
	c.files[f.name] = result
	return result.proto, result.err
}

// forget drops the files that s does not have.
func (c *compiled) forget(s *snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.files {
		if s.files[name] == nil {
			delete(c.files, name)
		}
	}
}
