package realm

import "testing"

// TestSuiteProgressiveResults: results in parts, for callers that ask from callees
// that can.
func TestSuiteProgressiveResults(t *testing.T) {
	play(t, scenario(), []scene{
		{name: "asked for", script: `
			callee > [64,1,{},"com.example.report"]
			callee < [65,1,1]
			caller > [48,1,{"receive_progress":true},"com.example.report",[2]]
			callee < [68,1,1,{"receive_progress":true},[2]]
			callee > [70,1,{"progress":true},[0],{"k":"v"}]
			callee > [70,1,{"progress":true}]
			callee > [70,1,{},["end"]]
			caller < [50,1,{"progress":true},[0],{"k":"v"}]
			caller < [50,1,{"progress":true}]
			caller < [50,1,{},["end"]]
			callee > [70,1,{"progress":true},["too late"]]
			callee > [70,1,{},["too late"]]
			callee nothing
			caller nothing`},
		{name: "ends with an error", script: `
			callee > [64,1,{},"com.example.report"]
			callee < [65,1,1]
			caller > [48,1,{"receive_progress":true},"com.example.report"]
			callee < [68,1,1,{"receive_progress":true}]
			callee > [70,1,{"progress":true},[0]]
			callee > [8,68,1,{},"com.example.error",["no more"]]
			caller < [50,1,{"progress":true},[0]]
			caller < [8,48,1,{},"com.example.error",["no more"]]
			caller nothing`},
		{name: "not asked for", script: `
			callee > [64,1,{},"com.example.report"]
			callee < [65,1,1]
			caller > [48,1,{},"com.example.report"]
			callee < [68,1,1,{}]
			callee > [70,1,{"progress":true},[0]]
			callee > [70,1,{},["end"]]
			caller < [50,1,{},["end"]]
			caller nothing`},
		{name: "of a callee that did not announce it", roles: map[string]string{"callee": rolesWithout("callee.progressive_call_results")}, script: `
			callee > [64,1,{},"com.example.report"]
			callee < [65,1,1]
			caller > [48,1,{"receive_progress":true},"com.example.report"]
			callee < [68,1,1,{}]
			callee > [70,1,{"progress":true},[0]]
			callee > [70,1,{},["end"]]
			caller < [50,1,{},["end"]]
			caller nothing`},
		{name: "of a callee that cannot be interrupted", roles: map[string]string{"callee": rolesWithout("callee.call_canceling")}, script: `
			callee > [64,1,{},"com.example.report"]
			callee < [65,1,1]
			caller > [48,1,{"receive_progress":true},"com.example.report"]
			callee < [68,1,1,{"receive_progress":true}]
			callee > [70,1,{"progress":true},[0]]
			caller < [50,1,{"progress":true},[0]]
			caller drops
			- idle
			callee > [70,1,{"progress":true},[1]]
			callee > [70,1,{},["end"]]
			callee nothing`},
		{name: "their caller leaves", script: `
			callee > [64,1,{},"com.example.report"]
			callee < [65,1,1]
			caller > [48,1,{"receive_progress":true},"com.example.report"]
			callee < [68,1,1,{"receive_progress":true}]
			callee > [70,1,{"progress":true},[0]]
			caller < [50,1,{"progress":true},[0]]
			caller leaves
			callee < [69,1,{"mode":"killnowait"}]
			callee > [70,1,{"progress":true},[1]]
			callee > [8,68,1,{},"wamp.error.canceled"]
			callee nothing`},
		{name: "their callee leaves", script: `
			callee > [64,1,{},"com.example.report"]
			callee < [65,1,1]
			caller > [48,1,{"receive_progress":true},"com.example.report"]
			callee < [68,1,1,{"receive_progress":true}]
			callee > [70,1,{"progress":true},[0]]
			caller < [50,1,{"progress":true},[0]]
			callee drops
			caller < [8,48,1,{},"wamp.error.canceled",["callee session left"]]
			caller nothing`},
	})
}

// TestSuiteProgressiveInvocations: a call in parts.
func TestSuiteProgressiveInvocations(t *testing.T) {
	noCaller := map[string]string{"caller": rolesWithout("caller.progressive_call_invocations")}
	play(t, scenario(), []scene{
		{name: "all is one call", script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload",["a"]]
			callee < [68,1,1,{"progress":true},["a"]]
			caller > [48,2,{},"com.example.upload",["another"]]
			callee < [68,2,1,{},["another"]]
			caller > [48,1,{"progress":true},"com.example.upload",["b"],{"k":"v"}]
			caller > [48,1,{"progress":true},"com.example.upload"]
			caller > [48,1,{"progress":false},"com.example.upload",["c"]]
			callee < [68,1,1,{"progress":true},["b"],{"k":"v"}]
			callee < [68,1,1,{"progress":true}]
			callee < [68,1,1,{},["c"]]
			callee > [70,2,{}]
			caller < [50,2,{}]
			callee > [70,1,{},["abc"]]
			caller < [50,1,{},["abc"]]
			caller > [48,3,{},"com.example.upload"]
			callee < [68,3,1,{}]`},
		{name: "the first options stand", script: `
			callee > [64,1,{"match":"prefix"},"com.example"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true,"disclose_me":true,"receive_progress":true,"x_own":1},"com.example.upload",["a"]]
			callee < [68,1,1,{"caller":$caller,"caller_authid":"$caller.authid","caller_authrole":"anyone","procedure":"com.example.upload","receive_progress":true,"progress":true},["a"]]
			caller > [48,1,{"progress":true,"disclose_me":false,"timeout":1},"com.example.upload",["b"]]
			callee < [68,1,1,{"caller":$caller,"caller_authid":"$caller.authid","caller_authrole":"anyone","procedure":"com.example.upload","receive_progress":true,"progress":true},["b"]]
			caller > [48,1,{},"com.example.upload",["c"]]
			callee < [68,1,1,{"caller":$caller,"caller_authid":"$caller.authid","caller_authrole":"anyone","procedure":"com.example.upload","receive_progress":true},["c"]]
			callee > [70,1,{}]
			caller < [50,1,{}]`},
		{name: "both ways", script: `
			callee > [64,1,{},"com.example.echo"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true,"receive_progress":true},"com.example.echo",[1]]
			callee < [68,1,1,{"receive_progress":true,"progress":true},[1]]
			callee > [70,1,{"progress":true},[1]]
			caller < [50,1,{"progress":true},[1]]
			caller > [48,1,{},"com.example.echo",[2]]
			callee < [68,1,1,{"receive_progress":true},[2]]
			callee > [70,1,{"progress":true},[2]]
			callee > [70,1,{}]
			caller < [50,1,{"progress":true},[2]]
			caller < [50,1,{}]`},
		{name: "more of a call that has its answer", script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload"]
			callee < [68,1,1,{"progress":true}]
			callee > [8,68,1,{},"com.example.full"]
			caller < [8,48,1,{},"com.example.full"]
			caller > [48,1,{"progress":true},"com.example.upload"]
			caller > [48,1,{},"com.example.upload"]
			caller nothing
			callee nothing`},
		{name: "canceled", script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload"]
			callee < [68,1,1,{"progress":true}]
			caller > [49,1,{"mode":"killnowait"}]
			caller < [8,48,1,{},"wamp.error.canceled"]
			caller > [48,1,{},"com.example.upload"]
			callee < [69,1,{"mode":"killnowait"}]
			callee nothing
			caller nothing`},
		{name: "nothing follows an INTERRUPT", script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload"]
			callee < [68,1,1,{"progress":true}]
			caller > [49,1,{"mode":"kill"}]
			callee < [69,1,{"mode":"kill"}]
			caller > [48,1,{"progress":true},"com.example.upload"]
			callee nothing
			callee > [8,68,1,{},"wamp.error.canceled"]
			caller < [8,48,1,{},"wamp.error.canceled"]`},
		{name: "the caller leaves", script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload"]
			callee < [68,1,1,{"progress":true}]
			caller drops
			callee < [69,1,{"mode":"killnowait"}]
			callee nothing`},
		{name: "the callee leaves", script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload"]
			callee < [68,1,1,{"progress":true}]
			callee drops
			caller < [8,48,1,{},"wamp.error.canceled",["callee session left"]]
			caller > [48,1,{},"com.example.upload"]
			caller nothing`},
		{name: "one callee of several has it", script: `
			one > [64,1,{"invoke":"roundrobin"},"com.example.upload"]
			one < [65,1,1]
			two > [64,1,{"invoke":"roundrobin"},"com.example.upload"]
			two < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload",[1]]
			caller > [48,1,{"progress":true},"com.example.upload",[2]]
			caller > [48,2,{},"com.example.upload",["other"]]
			caller > [48,1,{},"com.example.upload",[3]]
			one < [68,1,1,{"progress":true},[1]]
			one < [68,1,1,{"progress":true},[2]]
			one < [68,1,1,{},[3]]
			two < [68,1,1,{},["other"]]`},
		{name: "the callee that can has it", roles: map[string]string{"one": rolesWithout("callee.progressive_call_invocations")}, script: `
			one > [64,1,{"invoke":"first"},"com.example.upload"]
			one < [65,1,1]
			two > [64,1,{"invoke":"first"},"com.example.upload"]
			two < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload"]
			two < [68,1,1,{"progress":true}]`},
		{name: "not announced by the callee", roles: map[string]string{"callee": rolesWithout("callee.progressive_call_invocations")}, script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload"]
			caller < [8,48,1,{},"wamp.error.feature_not_supported",["callee of \"com.example.upload\" does not support progressive call invocations with call canceling"]]
			caller > [48,1,{},"com.example.upload"]
			caller nothing`},
		{name: "of a callee that cannot be interrupted", roles: map[string]string{"callee": rolesWithout("callee.call_canceling")}, script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload"]
			caller < [8,48,1,{},"wamp.error.feature_not_supported",[**]]`},
		{name: "of a procedure of the router", script: `
			caller > [48,1,{"progress":true},"wamp.session.count"]
			caller < [8,48,1,{},"wamp.error.feature_not_supported",["procedure \"wamp.session.count\" takes plain calls only"]]`},
		{name: "not announced by the caller", roles: noCaller, script: `
			caller > [48,1,{"progress":true},"com.example.upload"]
			caller < [3,{"message":"received CALL with option progress, but the caller has not announced progressive call invocations"},"wamp.error.protocol_violation"]
			caller is closed`},
		{name: "an id again, not announced by the caller", roles: noCaller, script: `
			caller > [48,1,{},"com.example.upload"]
			caller < [8,48,1,{},"wamp.error.no_such_procedure",[**]]
			caller > [48,1,{},"com.example.upload"]
			caller < [3,{"message":"request id 1 of CALL is out of sequence, expected 2"},"wamp.error.protocol_violation"]
			caller is closed`},
		{name: "more of what was whole", script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{},"com.example.upload"]
			callee < [68,1,1,{}]
			caller > [48,1,{},"com.example.upload"]
			caller < [3,{"message":"CALL 1 is there already, and it was not announced that more of it follows"},"wamp.error.protocol_violation"]
			caller is closed
			callee < [69,1,{"mode":"killnowait"}]`},
		{name: "more behind the last part", script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload"]
			caller > [48,1,{},"com.example.upload"]
			caller > [48,1,{},"com.example.upload"]
			caller < [3,{"message":"CALL 1 goes on behind its last part"},"wamp.error.protocol_violation"]
			caller is closed
			callee < [68,1,1,{"progress":true}]
			callee < [68,1,1,{}]
			callee < [69,1,{"mode":"killnowait"}]`},
		{name: "more under another name", script: `
			callee > [64,1,{},"com.example.upload"]
			callee < [65,1,1]
			caller > [48,1,{"progress":true},"com.example.upload"]
			caller > [48,1,{},"com.example.other"]
			caller < [3,{"message":"CALL 1 continues a call of procedure \"com.example.upload\" with procedure \"com.example.other\""},"wamp.error.protocol_violation"]
			caller is closed`},
	})
}
