package lualib_test

import (
	"os"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lualib"
)

func TestMain(m *testing.M) {
	lua.MaxArrayIndex = 1 << 16 // as the scripting host has it
	time.Local = time.UTC       // as the recorded dates are
	os.Exit(m.Run())
}

// newState returns a virtual machine with this library only.
func newState(tb testing.TB, o lualib.Options) *lua.LState {
	tb.Helper()
	L := lua.NewState(lua.Options{SkipOpenLibs: true, RegistrySize: 256, RegistryMaxSize: 1 << 16, RegistryGrowStep: 256, CallStackSize: 128})
	tb.Cleanup(L.Close)
	lualib.Open(L, o)
	return L
}
