package scripting

import (
	"reflect"
	"sync"

	"usher/scripting/lualib"
)

// outside are the ways out of the process that all scripts share, with the
// connections that they keep. Its methods may be called concurrently.
type outside struct {
	databases *lualib.Databases

	mu      sync.Mutex
	options lualib.HTTPOptions
	client  *lualib.HTTPClient
}

// newOutside connects to nothing yet.
func newOutside(o *Options) (*outside, error) {
	databases, err := o.databases()
	if err != nil {
		return nil, err
	}
	return &outside{databases: databases, options: o.HTTP, client: lualib.NewHTTPClient(o.HTTP)}, nil
}

// become makes x what next is, which must not be used any more: what is not
// different keeps its connections.
func (x *outside) become(next *outside) {
	x.databases.Become(next.databases)
	x.mu.Lock()
	defer x.mu.Unlock()
	if !reflect.DeepEqual(x.options, next.options) {
		x.client.Close()
		x.options, x.client = next.options, next.client
	}
}

func (x *outside) http() *lualib.HTTPClient {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.client
}

func (x *outside) sql() *lualib.Databases { return x.databases }

// close closes what is not in use.
func (x *outside) close() {
	x.databases.Close()
	x.http().Close()
}
