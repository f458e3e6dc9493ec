package realm

import (
	"testing"
	"time"

	"usher/router/auth"
)

// TestSuiteCancel: CANCEL in each of its modes, for callees that can be
// interrupted and for others.
func TestSuiteCancel(t *testing.T) {
	const begin = `
			callee > [64,1,{},"com.example.slow"]
			callee < [65,1,1]
			caller > [48,1,{},"com.example.slow"]
			callee < [68,1,1,{}]
			`
	unable := map[string]string{"callee": rolesWithout("callee.call_canceling")}
	const late = `
			callee > [70,1,{},["too late"]]
			callee nothing
			caller nothing
			caller > [49,1,{}]
			caller nothing`
	// What a callee sees that can be interrupted, and one that cannot.
	const skipped = `caller < [8,48,1,{},"wamp.error.canceled"]` + late
	const interrupted = `caller < [8,48,1,{},"wamp.error.canceled"]
			callee < [69,1,{"mode":"killnowait"}]` + late
	play(t, scenario(), []scene{
		{name: "skip", script: begin + `caller > [49,1,{"mode":"skip"}]
			` + skipped},
		{name: "killnowait", script: begin + `caller > [49,1,{"mode":"killnowait"}]
			` + interrupted},
		{name: "no mode", script: begin + `caller > [49,1,{}]
			` + interrupted},
		{name: "an unknown mode", script: begin + `caller > [49,1,{"mode":"softly"}]
			caller < [8,48,1,{},"wamp.error.invalid_argument",["call is canceled, but mode \"softly\" is none of \"skip\", \"kill\" and \"killnowait\""]]
			callee < [69,1,{"mode":"killnowait"}]` + late},
		{name: "skip, of a callee that cannot be interrupted", roles: unable, script: begin + `caller > [49,1,{"mode":"skip"}]
			` + skipped},
		{name: "kill, of a callee that cannot be interrupted", roles: unable, script: begin + `caller > [49,1,{"mode":"kill"}]
			` + skipped},
		{name: "killnowait, of a callee that cannot be interrupted", roles: unable, script: begin + `caller > [49,1,{"mode":"killnowait"}]
			` + skipped},
		{name: "no mode, of a callee that cannot be interrupted", roles: unable, script: begin + `caller > [49,1,{}]
			` + skipped},
		{name: "kill, and the callee ends", script: begin + `caller > [49,1,{"mode":"kill"}]
			callee < [69,1,{"mode":"kill"}]
			caller nothing
			callee > [8,68,1,{},"wamp.error.canceled",["stopped"]]
			caller < [8,48,1,{},"wamp.error.canceled",["stopped"]]` + late},
		{name: "kill, and the callee was ready", script: begin + `caller > [49,1,{"mode":"kill"}]
			callee < [69,1,{"mode":"kill"}]
			callee > [70,1,{},["ready"]]
			caller < [50,1,{},["ready"]]` + late},
		{name: "kill, and again", script: begin + `caller > [49,1,{"mode":"kill"}]
			caller > [49,1,{"mode":"kill"}]
			callee < [69,1,{"mode":"kill"}]
			callee nothing
			caller > [49,1,{"mode":"killnowait"}]
			caller < [8,48,1,{},"wamp.error.canceled"]` + late},
		{name: "kill, and the callee leaves", script: begin + `caller > [49,1,{"mode":"kill"}]
			callee < [69,1,{"mode":"kill"}]
			callee drops
			caller < [8,48,1,{},"wamp.error.canceled",["callee session left"]]
			caller nothing`},
		{name: "kill, and the caller leaves", script: begin + `caller > [49,1,{"mode":"kill"}]
			callee < [69,1,{"mode":"kill"}]
			caller leaves
			callee nothing`},
		{name: "of nothing", script: `
			caller > [49,1,{}]
			caller > [49,9007199254740992,{"mode":"kill"}]
			caller nothing`},
		{name: "of a call of somebody else", script: begin + `other > [49,1,{}]
			other nothing
			callee nothing
			callee > [70,1,{},["done"]]
			caller < [50,1,{},["done"]]`},
		{name: "the caller leaves", script: begin + `caller leaves
			callee < [69,1,{"mode":"killnowait"}]
			callee > [70,1,{}]
			callee nothing`},
		{name: "the caller leaves, of a callee that cannot be interrupted", roles: unable, script: begin + `caller leaves
			- idle
			callee > [70,1,{}]
			callee nothing`},
	})
}

// TestSuiteTimeout: who ends a call that takes too long, and what both ends learn.
func TestSuiteTimeout(t *testing.T) {
	const expired = `caller < [8,48,1,{},"wamp.error.timeout",["no result came within *"]]
			`
	const interrupted = `callee < [69,1,{"mode":"killnowait","reason":"wamp.error.timeout"}]
			callee > [70,1,{},["too late"]]
			callee nothing
			caller nothing`
	call := func(register, call, details string) string {
		return `
			callee > [64,1,` + register + `,"com.example.slow"]
			callee < [65,1,1]
			caller > [48,1,` + call + `,"com.example.slow"]
			callee < [68,1,1,` + details + `]
			`
	}
	answered := `callee > [8,68,1,{},"wamp.error.timeout",["mine"]]
			caller < [8,48,1,{},"wamp.error.timeout",["mine"]]
			caller nothing`
	play(t, scenario(), []scene{
		{name: "by the router", script: call(`{}`, `{"timeout":10}`, `{}`) + expired + interrupted},
		{name: "of a callee that cannot be interrupted", roles: map[string]string{"callee": rolesWithout("callee.call_canceling")},
			script: call(`{}`, `{"timeout":10}`, `{}`) + expired + `callee > [70,1,{}]
			callee nothing
			caller nothing`},
		{name: "by the callee", script: call(`{"forward_timeout":true}`, `{"timeout":10}`, `{"timeout":10}`) + answered},
		{name: "of a callee that did not announce it", roles: map[string]string{"callee": rolesWithout("callee.call_timeout")},
			script: call(`{"forward_timeout":true}`, `{"timeout":10}`, `{}`) + expired + interrupted},
		{name: "answered in time", script: call(`{}`, `{"timeout":3600000}`, `{}`) + `callee > [70,1,{},["soon"]]
			caller < [50,1,{},["soon"]]`},
		{name: "none", script: call(`{}`, `{"timeout":0}`, `{}`) + `callee > [70,1,{}]
			caller < [50,1,{}]`},
	})
	t.Run("of the realm", func(t *testing.T) {
		p := scenario()
		p.Realms["realm1"].Settings = Settings{CallTimeout: 10 * time.Millisecond, MaxCallTimeout: 20 * time.Millisecond}
		play(t, p, []scene{
			{name: "by default", script: call(`{}`, `{}`, `{}`) + expired + interrupted},
			{name: "at most", script: call(`{}`, `{"timeout":9007199254740992}`, `{}`) + `caller < [8,48,1,{},"wamp.error.timeout",["no result came within 20ms"]]
			` + interrupted},
			{name: "by the callee", script: call(`{"forward_timeout":true}`, `{}`, `{"timeout":10}`) + answered},
		})
	})
}

// TestSuiteCaller: what callees learn of callers.
func TestSuiteCaller(t *testing.T) {
	p := scenario()
	roles := p.Realms["realm1"].Roles
	roles["trusted"] = &auth.Role{Name: "trusted", Rules: roles["anyone"].Rules}
	roles["trusted"].Trustlevel.Level, roles["trusted"].Trustlevel.Given = 7, true
	roles["hidden"] = &auth.Role{Name: "hidden", Rules: roles["anyone"].Rules, DenyDiscloseMe: true}
	const known = `"caller":$caller,"caller_authid":"$caller.authid","caller_authrole":`
	play(t, p, []scene{
		{name: "by default", script: `
			callee > [64,1,{},"com.example.p"]
			callee < [65,1,1]
			caller > [48,1,{"x_unknown":[1],"unknown":{}},"com.example.p"]
			callee < [68,1,1,{}]`},
		{name: "as the caller asks", script: `
			caller joins
			callee > [64,1,{"x_unknown":[1],"unknown":{}},"com.example.p"]
			callee < [65,1,1]
			caller > [48,1,{"disclose_me":true},"com.example.p"]
			callee < [68,1,1,{` + known + `"anyone"}]`},
		{name: "as one of two callees asks", script: `
			caller joins
			one > [64,1,{"invoke":"roundrobin","disclose_caller":true},"com.example.p"]
			one < [65,1,1]
			two > [64,1,{"invoke":"roundrobin"},"com.example.p"]
			two < [65,1,1]
			caller > [48,1,{},"com.example.p"]
			caller > [48,2,{},"com.example.p"]
			one < [68,1,1,{` + known + `"anyone"}]
			two < [68,1,1,{}]`},
		{name: "denied to a role", as: map[string]string{"caller": "hidden"}, script: `
			callee > [64,1,{},"com.example.p"]
			callee < [65,1,1]
			caller > [48,1,{"disclose_me":true},"com.example.p"]
			caller < [8,48,1,{},"wamp.error.option_disallowed.disclose_me",["authrole \"hidden\" may not disclose itself"]]
			caller > [48,2,{},"com.example.p"]
			callee < [68,1,1,{}]`},
		{name: "what a callee asks for, a role does not deny", as: map[string]string{"caller": "hidden"}, script: `
			caller joins
			callee > [64,1,{"disclose_caller":true},"com.example.p"]
			callee < [65,1,1]
			caller > [48,1,{},"com.example.p"]
			callee < [68,1,1,{` + known + `"hidden"}]`},
		{name: "a trust level", as: map[string]string{"caller": "trusted"}, script: `
			callee > [64,1,{},"com.example.p"]
			callee < [65,1,1]
			caller > [48,1,{},"com.example.p"]
			callee < [68,1,1,{"trustlevel":7}]
			other > [48,1,{},"com.example.p"]
			callee < [68,2,1,{}]`},
		{name: "a trust level, not announced", as: map[string]string{"caller": "trusted"}, roles: map[string]string{"callee": rolesWithout("callee.call_trustlevels")}, script: `
			callee > [64,1,{},"com.example.p"]
			callee < [65,1,1]
			caller > [48,1,{},"com.example.p"]
			callee < [68,1,1,{}]`},
	})
}
