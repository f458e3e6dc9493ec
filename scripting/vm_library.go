package scripting

import (
	"context"
	"log/slog"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lualib"
)

// openLibrary creates the globals of Lua and the modules that reach outside of
// the VM.
func (v *vm) openLibrary() {
	lualib.Open(v.L, lualib.Options{
		Print:   v.print,
		Getenv:  v.gen.options.getenv,
		Now:     v.gen.clock.Now,
		Outside: v.mayReachOut,
		Wait:    v.wait,
	})
	lualib.OpenCrypto(v.L, lualib.CryptoOptions{Values: v.values, Costly: v.gen.costly})
	lualib.OpenJSON(v.L, v.values)
	lualib.OpenURL(v.L)
	lualib.OpenHTTP(v.L, v.values, v.gen.outside.http)
	lualib.OpenSQL(v.L, v.values, v.gen.outside.sql)
	lualib.OpenTime(v.L)
	lualib.OpenEnv(v.L)
	lualib.OpenLog(v.L, lualib.LogOptions{
		Emit: func(level slog.Level, message string, fields []slog.Attr) {
			v.log.LogAttrs(context.Background(), level, message, fields...)
		},
		Redact:  v.redact,
		Enabled: lualib.LogEnabled(v.gen.log),
	})
	lualib.OpenKV(v.L, v.store)
}

// mayReachOut raises an error while the top level runs.
func (v *vm) mayReachOut(L *lua.LState, what string) {
	if !v.sealed {
		v.topLevelError(L, what)
	}
}

// wait runs f, in which the VM waits and does not count as computing. The leader
// has no pool yet while its top level runs.
func (v *vm) wait(L *lua.LState, f func()) {
	if v.gen.await != nil {
		v.gen.await(L, f)
		return
	}
	if p := v.gen.pool; p != nil {
		p.pause()
		defer p.resume()
	}
	f()
}
