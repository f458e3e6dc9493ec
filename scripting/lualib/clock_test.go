package lualib

import (
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// All that a script can ask the time of goes by the clock that it was given.
func TestOneClock(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer L.Close()
	Open(L, Options{Now: clock})
	OpenTime(L)
	store := NewStore(StoreLimits{}, clock)
	OpenKV(L, func(*lua.LState, bool) *Store { return store })
	run(t, L, `kv.set("a", 1, 10)
		assert(os.time() == 1700000000 and time.now() == 1700000000)
		assert(os.clock() == 0 and time.monotonic() == 0 and kv.get("a") == 1)`)
	now = now.Add(10 * time.Second)
	run(t, L, `assert(os.time() == 1700000010 and time.now() == 1700000010)
		assert(os.clock() == 10 and time.monotonic() == 10 and kv.get("a") == nil)`)
}
