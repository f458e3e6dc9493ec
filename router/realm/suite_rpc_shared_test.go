package realm

import (
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

// TestSuiteShared: several callees of one procedure.
func TestSuiteShared(t *testing.T) {
	three := func(invoke string) string {
		return `
			one > [64,1,{"invoke":"` + invoke + `"},"com.example.work"]
			one < [65,1,1]
			two > [64,1,{"invoke":"` + invoke + `"},"com.example.work"]
			two < [65,1,1]
			three > [64,1,{"invoke":"` + invoke + `"},"com.example.work"]
			three < [65,1,1]
			`
	}
	play(t, scenario(), []scene{
		{name: "roundrobin", script: three("roundrobin") + `
			caller > [48,1,{},"com.example.work"]
			caller > [48,2,{},"com.example.work"]
			caller > [48,3,{},"com.example.work"]
			caller > [48,4,{},"com.example.work"]
			one < [68,1,1,{}]
			two < [68,1,1,{}]
			three < [68,1,1,{}]
			one < [68,2,1,{}]
			two > [70,1,{},["done"]]
			caller < [50,2,{},["done"]]
			three nothing`},
		{name: "first", script: three("first") + `
			caller > [48,1,{},"com.example.work"]
			caller > [48,2,{},"com.example.work"]
			one < [68,1,1,{}]
			one < [68,2,1,{}]
			one > [66,2,1]
			one < [67,2]
			caller > [48,3,{},"com.example.work"]
			two < [68,1,1,{}]
			one > [64,3,{"invoke":"first"},"com.example.work"]
			one < [65,3,1]
			caller > [48,4,{},"com.example.work"]
			two < [68,2,1,{}]
			one > [70,2,{}]
			caller < [50,2,{}]`},
		{name: "last", script: three("last") + `
			caller > [48,1,{},"com.example.work"]
			three < [68,1,1,{}]
			three leaves
			caller < [8,48,1,{},"wamp.error.canceled",["callee session left"]]
			caller > [48,2,{},"com.example.work"]
			two < [68,1,1,{}]
			one nothing`},
		{name: "random", script: `
			one > [64,1,{"invoke":"random"},"com.example.work"]
			one < [65,1,1]
			caller > [48,1,{},"com.example.work"]
			caller > [48,2,{},"com.example.work"]
			one < [68,1,1,{}]
			one < [68,2,1,{}]`},
		{name: "single", script: `
			one > [64,1,{"invoke":"single"},"com.example.work"]
			one < [65,1,1]
			two > [64,1,{},"com.example.work"]
			two < [8,64,1,{},"wamp.error.procedure_already_exists",["procedure \"com.example.work\" is already registered with match \"exact\""]]
			two > [64,2,{"invoke":"roundrobin"},"com.example.work"]
			two < [8,64,2,{},"wamp.error.procedure_already_exists",[**]]
			one > [64,2,{},"com.example.work"]
			one < [8,64,2,{},"wamp.error.procedure_already_exists",[**]]`},
		{name: "another policy", script: three("roundrobin") + `
			caller > [64,1,{"invoke":"random"},"com.example.work"]
			caller < [8,64,1,{},"wamp.error.procedure_exists_with_different_invocation_policy",["register for already registered procedure 'com.example.work' with conflicting invocation policy (has roundrobin and random was requested)"]]
			caller > [64,2,{},"com.example.work"]
			caller < [8,64,2,{},"wamp.error.procedure_exists_with_different_invocation_policy",["register for already registered procedure 'com.example.work' with conflicting invocation policy (has roundrobin and single was requested)"]]`},
		{name: "another policy, when nobody is left", script: three("roundrobin") + `
			one leaves
			two leaves
			three > [66,2,1]
			three < [67,2]
			three > [64,3,{"invoke":"random"},"com.example.work"]
			three < [65,3,2]`},
		{name: "an unknown policy", script: `
			one > [64,1,{"invoke":"all","x_invoke":"all"},"com.example.work"]
			one < [8,64,1,{},"wamp.error.option_not_allowed",["option \"invoke\" is \"all\", but must be one of \"single\", \"first\", \"last\", \"roundrobin\" and \"random\""]]`},
		{name: "options of sharding are none of ours", script: `
			one > [64,1,{"rkey":"a","runmode":"partition"},"com.example.work"]
			one < [65,1,1]
			caller > [48,1,{"rkey":"a","runmode":"partition"},"com.example.work"]
			one < [68,1,1,{}]`},
		{name: "twice by one session", script: three("roundrobin") + `
			one > [64,2,{"invoke":"roundrobin"},"com.example.work"]
			one < [8,64,2,{},"wamp.error.procedure_already_exists",["procedure \"com.example.work\" is already registered by this session"]]
			one > [66,3,1]
			one < [67,3]
			one > [66,4,1]
			one < [8,66,4,{},"wamp.error.no_such_registration",["session has no registration 1"]]
			caller > [48,1,{},"com.example.work"]
			two < [68,1,1,{}]`},
		{name: "a callee leaves", script: three("roundrobin") + `
			caller > [48,1,{},"com.example.work"]
			one < [68,1,1,{}]
			one drops
			caller < [8,48,1,{},"wamp.error.canceled",["callee session left"]]
			caller > [48,2,{},"com.example.work"]
			caller > [48,3,{},"com.example.work"]
			caller > [48,4,{},"com.example.work"]
			three < [68,1,1,{}]
			two < [68,1,1,{}]
			three < [68,2,1,{}]
			caller nothing`},
		{name: "concurrency", script: `
			one > [64,1,{"invoke":"first","concurrency":1},"com.example.work"]
			one < [65,1,1]
			two > [64,1,{"invoke":"first","concurrency":2},"com.example.work"]
			two < [65,1,1]
			caller > [48,1,{},"com.example.work"]
			caller > [48,2,{},"com.example.work"]
			caller > [48,3,{},"com.example.work"]
			caller > [48,4,{},"com.example.work"]
			one < [68,1,1,{}]
			two < [68,1,1,{}]
			two < [68,2,1,{}]
			caller < [8,48,4,{},"wamp.error.unavailable",["callee of \"com.example.work\" has too much to do"]]
			one > [70,1,{}]
			caller < [50,1,{}]
			caller > [48,5,{},"com.example.work"]
			one < [68,2,1,{}]
			two > [8,68,2,{},"com.example.error"]
			caller < [8,48,3,{},"com.example.error"]
			caller > [49,5,{"mode":"skip"}]
			caller < [8,48,5,{},"wamp.error.canceled"]
			caller > [48,6,{},"com.example.work"]
			one < [68,3,1,{}]`},
		{name: "concurrency of one alone", script: `
			one > [64,1,{"concurrency":1},"com.example.work"]
			one < [65,1,1]
			one > [64,2,{},"com.example.other"]
			one < [65,2,2]
			caller > [48,1,{},"com.example.work"]
			caller > [48,2,{},"com.example.work"]
			caller > [48,3,{},"com.example.other"]
			caller < [8,48,2,{},"wamp.error.unavailable",["callee of \"com.example.work\" has too much to do"]]
			one < [68,1,1,{}]
			one < [68,2,2,{}]`},
		{name: "by a pattern", script: `
			one > [64,1,{"invoke":"roundrobin","match":"prefix"},"com.example"]
			one < [65,1,1]
			two > [64,1,{"invoke":"roundrobin","match":"prefix"},"com.example"]
			two < [65,1,1]
			caller > [48,1,{},"com.example.a"]
			caller > [48,2,{},"com.example.b"]
			one < [68,1,1,{"procedure":"com.example.a"}]
			two < [68,1,1,{"procedure":"com.example.b"}]`},
	})
}

// TestSuiteReroute: a callee that is unavailable is passed over for the next.
func TestSuiteReroute(t *testing.T) {
	three := func(invoke string) string {
		return `
			one > [64,1,{"invoke":"` + invoke + `"},"com.example.work"]
			one < [65,1,1]
			two > [64,1,{"invoke":"` + invoke + `"},"com.example.work"]
			two < [65,1,1]
			three > [64,1,{"invoke":"` + invoke + `"},"com.example.work"]
			three < [65,1,1]
			`
	}
	plain := rolesWithout("callee.call_reroute")
	play(t, scenario(), []scene{
		{name: "single", script: `
			one > [64,1,{},"com.example.work"]
			one < [65,1,1]
			caller > [48,1,{},"com.example.work"]
			one < [68,1,1,{}]
			one > [8,68,1,{},"wamp.error.unavailable",["busy"]]
			caller < [8,48,1,{},"wamp.error.no_available_callee",["all callees of \"com.example.work\" are unavailable"]]
			caller nothing`},
		{name: "single, not announced", roles: map[string]string{"one": plain}, script: `
			one > [64,1,{},"com.example.work"]
			one < [65,1,1]
			caller > [48,1,{},"com.example.work"]
			one < [68,1,1,{}]
			one > [8,68,1,{},"wamp.error.unavailable",["busy"]]
			caller < [8,48,1,{},"wamp.error.unavailable",["busy"]]`},
		{name: "roundrobin", script: three("roundrobin") + `
			caller joins
			caller > [48,1,{"disclose_me":true,"receive_progress":true},"com.example.work",["a"],{"k":"v"}]
			one < [68,1,1,{"caller":$caller,"caller_authid":"$caller.authid","caller_authrole":"anyone","receive_progress":true},["a"],{"k":"v"}]
			one > [8,68,1,{},"wamp.error.unavailable"]
			two < [68,1,1,{"caller":$caller,"caller_authid":"$caller.authid","caller_authrole":"anyone","receive_progress":true},["a"],{"k":"v"}]
			two > [8,68,1,{},"wamp.error.unavailable"]
			three < [68,1,1,{"caller":$caller,"caller_authid":"$caller.authid","caller_authrole":"anyone","receive_progress":true},["a"],{"k":"v"}]
			three > [70,1,{},["done"]]
			caller < [50,1,{},["done"]]
			one > [70,1,{},["too late"]]
			one nothing
			two nothing
			caller nothing`},
		{name: "first", script: three("first") + `
			caller > [48,1,{},"com.example.work"]
			one < [68,1,1,{}]
			one > [8,68,1,{},"wamp.error.unavailable"]
			two < [68,1,1,{}]
			caller > [48,2,{},"com.example.work"]
			one < [68,2,1,{}]`},
		{name: "last", script: three("last") + `
			caller > [48,1,{},"com.example.work"]
			three < [68,1,1,{}]
			three > [8,68,1,{},"wamp.error.unavailable"]
			two < [68,1,1,{}]
			two > [8,68,1,{},"wamp.error.unavailable"]
			one < [68,1,1,{}]`},
		{name: "all of them", script: three("last") + `
			caller > [48,1,{},"com.example.work"]
			three < [68,1,1,{}]
			three > [8,68,1,{},"wamp.error.unavailable"]
			two < [68,1,1,{}]
			two > [8,68,1,{},"wamp.error.unavailable"]
			one < [68,1,1,{}]
			one > [8,68,1,{},"wamp.error.unavailable"]
			caller < [8,48,1,{},"wamp.error.no_available_callee",["all callees of \"com.example.work\" are unavailable"]]
			caller nothing`},
		{name: "at random", script: `
			one > [64,1,{"invoke":"random"},"com.example.work"]
			one < [65,1,1]
			caller > [48,1,{},"com.example.work"]
			one < [68,1,1,{}]
			one > [8,68,1,{},"wamp.error.unavailable"]
			caller < [8,48,1,{},"wamp.error.no_available_callee",[**]]`},
		{name: "another has left meanwhile", script: `
			one > [64,1,{"invoke":"first"},"com.example.work"]
			one < [65,1,1]
			two > [64,1,{"invoke":"first"},"com.example.work"]
			two < [65,1,1]
			caller > [48,1,{},"com.example.work"]
			one < [68,1,1,{}]
			two leaves
			one > [8,68,1,{},"wamp.error.unavailable"]
			caller < [8,48,1,{},"wamp.error.no_available_callee",[**]]`},
		{name: "another error", script: three("first") + `
			caller > [48,1,{},"com.example.work"]
			one < [68,1,1,{}]
			one > [8,68,1,{},"com.example.error",["no"]]
			caller < [8,48,1,{},"com.example.error",["no"]]
			two nothing`},
		{name: "it had begun", script: three("first") + `
			caller > [48,1,{"receive_progress":true},"com.example.work"]
			one < [68,1,1,{"receive_progress":true}]
			one > [70,1,{"progress":true},[1]]
			one > [8,68,1,{},"wamp.error.unavailable",["no more"]]
			caller < [50,1,{"progress":true},[1]]
			caller < [8,48,1,{},"wamp.error.unavailable",["no more"]]
			two nothing`},
		{name: "a call in parts", script: three("first") + `
			caller > [48,1,{"progress":true},"com.example.work"]
			one < [68,1,1,{"progress":true}]
			one > [8,68,1,{},"wamp.error.unavailable"]
			caller < [8,48,1,{},"wamp.error.no_available_callee",[**]]
			two nothing`},
		{name: "canceled", script: three("first") + `
			caller > [48,1,{},"com.example.work"]
			one < [68,1,1,{}]
			caller > [49,1,{"mode":"kill"}]
			one < [69,1,{"mode":"kill"}]
			one > [8,68,1,{},"wamp.error.unavailable",["stopped"]]
			caller < [8,48,1,{},"wamp.error.unavailable",["stopped"]]
			two nothing`},
		{name: "canceled at the second", script: three("first") + `
			caller > [48,1,{"timeout":3600000},"com.example.work"]
			one < [68,1,1,{}]
			one > [8,68,1,{},"wamp.error.unavailable"]
			two < [68,1,1,{}]
			caller > [49,1,{}]
			caller < [8,48,1,{},"wamp.error.canceled"]
			two < [69,1,{"mode":"killnowait"}]
			one nothing`},
		{name: "the second leaves", script: three("first") + `
			caller > [48,1,{},"com.example.work"]
			one < [68,1,1,{}]
			one > [8,68,1,{},"wamp.error.unavailable"]
			two < [68,1,1,{}]
			two leaves
			caller < [8,48,1,{},"wamp.error.canceled",["callee session left"]]
			three nothing`},
		{name: "the caller leaves", script: three("first") + `
			caller > [48,1,{},"com.example.work"]
			one < [68,1,1,{}]
			one > [8,68,1,{},"wamp.error.unavailable"]
			two < [68,1,1,{}]
			caller leaves
			two < [69,1,{"mode":"killnowait"}]
			two > [8,68,1,{},"wamp.error.unavailable"]
			two nothing
			three nothing`},
		{name: "no time is left", script: three("first") + `
			caller > [48,1,{"timeout":20},"com.example.work"]
			one < [68,1,1,{}]
			one > [8,68,1,{},"wamp.error.unavailable"]
			caller < [8,48,1,{},"wamp.error.timeout",[**]]
			caller nothing`},
	})
}

// TestSuiteForce: a registration in the place of another, and who is told.
func TestSuiteForce(t *testing.T) {
	p := scenario()
	p.Realms["realm1"].Roles["second"] = &auth.Role{Name: "second", Rules: []auth.Rule{{URI: authenticatorURI, Allow: auth.Register}}}
	meta := `
			watcher > [32,1,{},"wamp.registration.on_create"]
			watcher < [33,1,1]
			watcher > [32,2,{},"wamp.registration.on_register"]
			watcher < [33,2,2]
			watcher > [32,3,{},"wamp.registration.on_unregister"]
			watcher < [33,3,3]
			watcher > [32,4,{},"wamp.registration.on_delete"]
			watcher < [33,4,4]
			`
	play(t, p, []scene{
		{name: "of one", script: `
			old > [64,1,{},"com.example.work"]
			old < [65,1,1]
			caller > [48,1,{},"com.example.work"]
			old < [68,1,1,{}]` + meta + `
			new > [64,1,{"force_reregister":true},"com.example.work"]
			new < [65,1,2]
			watcher < [36,3,*,{},[$old,1]]
			watcher < [36,4,*,{},[$old,1]]
			watcher < [36,1,*,{},[$new,{"id":2,**}]]
			watcher < [36,2,*,{},[$new,2]]
			old < [67,0,{"registration":1,"reason":"replaced"}]
			old > [70,1,{},["mine still"]]
			caller < [50,1,{},["mine still"]]
			caller > [48,2,{},"com.example.work"]
			new < [68,1,2,{}]
			old > [66,2,1]
			old < [8,66,2,{},"wamp.error.no_such_registration",["session has no registration 1"]]`},
		{name: "of several, with another policy", roles: map[string]string{"two": rolesWithout("callee.registration_revocation")}, script: `
			one > [64,1,{"invoke":"roundrobin"},"com.example.work"]
			one < [65,1,1]
			two > [64,1,{"invoke":"roundrobin"},"com.example.work"]
			two < [65,1,1]
			new > [64,1,{"invoke":"last","force_reregister":true},"com.example.work"]
			new < [65,1,2]
			one < [67,0,{"registration":1,"reason":"replaced"}]
			two nothing
			caller > [48,1,{},"com.example.work"]
			caller > [48,2,{},"com.example.work"]
			new < [68,1,2,{}]
			new < [68,2,2,{}]`},
		{name: "of its own", script: `
			callee > [64,1,{},"com.example.work"]
			callee < [65,1,1]
			callee > [64,2,{"force_reregister":true},"com.example.work"]
			callee < [65,2,2]
			callee < [67,0,{"registration":1,"reason":"replaced"}]
			caller > [48,1,{},"com.example.work"]
			callee < [68,1,2,{}]`},
		{name: "of nobody", script: `
			callee > [64,1,{"force_reregister":true},"com.example.work"]
			callee < [65,1,1]`},
		{name: "without permission", as: map[string]string{"new": "frontend"}, script: `
			old > [64,1,{},"com.example.work"]
			old < [65,1,1]
			new > [64,1,{"force_reregister":true},"com.example.work"]
			new < [8,64,1,{},"wamp.error.not_authorized",[**]]
			old nothing`},
		{name: "of an authenticator, by prefix only", as: map[string]string{"old": "authenticator"}, script: `
			old > [64,1,{},"` + authenticatorURI + `"]
			old < [65,1,1]
			new > [64,1,{"force_reregister":true},"` + authenticatorURI + `"]
			new < [8,64,1,{},"wamp.error.not_authorized",[**]]
			old nothing`},
		{name: "of an authenticator, by an exact rule", as: map[string]string{"old": "authenticator", "new": "second"}, script: `
			old > [64,1,{},"` + authenticatorURI + `"]
			old < [65,1,1]
			new > [64,1,{"force_reregister":true},"` + authenticatorURI + `"]
			new < [65,1,2]
			old < [67,0,{"registration":1,"reason":"replaced"}]`},
	})
	t.Run("of a component", func(t *testing.T) {
		w := newWorld(t, scenario(), Limits{})
		l := w.local("backend", newRecorder())
		bind(t, l, []string{"com.example.work"}, nil)
		c := w.join(wamp.JSON, "anyone")
		c.send(`[64,1,{"force_reregister":true},"com.example.work"]`)
		c.expect(`[8,64,1,{},"wamp.error.procedure_already_exists",["procedure \"com.example.work\" is already registered with match \"exact\""]]`)
	})
}
