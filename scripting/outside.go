package scripting

import (
	"reflect"
	"sync"

	"usher/scripting/lualib"
)

// outside are the ways out of the process that all scripts share, with the
// connections that they keep. The zero value is ready for configure.
type outside struct {
	mu      sync.Mutex
	options lualib.HTTPOptions
	client  *lualib.HTTPClient
}

// configure makes them those of o: what is not different keeps its connections.
func (x *outside) configure(o *Options) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.client == nil || !reflect.DeepEqual(x.options, o.HTTP) {
		if x.client != nil {
			x.client.Close()
		}
		x.options, x.client = o.HTTP, lualib.NewHTTPClient(o.HTTP)
	}
}

func (x *outside) http() *lualib.HTTPClient {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.client
}

// close closes what is not in use.
func (x *outside) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.client.Close()
}
