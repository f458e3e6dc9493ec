package realm

import "testing"

// TestSuiteCallPassthru: payloads that only the other end reads.
func TestSuiteCallPassthru(t *testing.T) {
	const ppt = `"ppt_scheme":"wamp","ppt_serializer":"cbor","ppt_cipher":"xsalsa20poly1305","ppt_keyid":"GTtQ"`
	const begin = `
			callee > [64,1,{"invoke":"first"},"com.example.secret"]
			callee < [65,1,1]
			`
	noCallee := rolesWithout("callee.payload_passthru_mode")
	noCaller := map[string]string{"caller": rolesWithout("caller.payload_passthru_mode")}
	play(t, scenario(), []scene{
		{name: "there and back", script: begin + `
			caller > [48,1,{` + ppt + `},"com.example.secret",["\u0000AAEC"]]
			callee < [68,1,1,{` + ppt + `},["\u0000AAEC"]]
			callee > [70,1,{` + ppt + `},["\u0000AwQF"]]
			caller < [50,1,{` + ppt + `},["\u0000AwQF"]]
			caller > [48,2,{"ppt_scheme":"x_own"},"com.example.secret",["\u0000AAEC"]]
			callee < [68,2,1,{"ppt_scheme":"x_own"},["\u0000AAEC"]]
			callee > [8,68,2,{` + ppt + `},"com.example.error",["\u0000AwQF"]]
			caller < [8,48,2,{` + ppt + `},"com.example.error",["\u0000AwQF"]]`},
		{name: "in parts", script: begin + `
			caller > [48,1,{"progress":true,"receive_progress":true,` + ppt + `},"com.example.secret",["\u0000AAEC"]]
			callee < [68,1,1,{"receive_progress":true,"progress":true,` + ppt + `},["\u0000AAEC"]]
			caller > [48,1,{"ppt_scheme":"other"},"com.example.secret",["\u0000AwQF"]]
			callee < [68,1,1,{"receive_progress":true,` + ppt + `},["\u0000AwQF"]]
			callee > [70,1,{"progress":true,` + ppt + `},["\u0000AAEC"]]
			callee > [70,1,{` + ppt + `},["\u0000AwQF"]]
			caller < [50,1,{"progress":true,` + ppt + `},["\u0000AAEC"]]
			caller < [50,1,{` + ppt + `},["\u0000AwQF"]]`},
		{name: "without a scheme there is none", roles: noCaller, script: begin + `
			caller > [48,1,{"ppt_scheme":"","ppt_cipher":"xsalsa20poly1305"},"com.example.secret",[1]]
			callee < [68,1,1,{},[1]]`},
		{name: "to another callee", script: begin + `
			other > [64,1,{"invoke":"first"},"com.example.secret"]
			other < [65,1,1]
			caller > [48,1,{` + ppt + `},"com.example.secret",["\u0000AAEC"]]
			callee < [68,1,1,{` + ppt + `},["\u0000AAEC"]]
			callee > [8,68,1,{},"wamp.error.unavailable"]
			other < [68,1,1,{` + ppt + `},["\u0000AAEC"]]`},
		{name: "not announced by the caller", roles: noCaller, script: begin + `
			caller > [48,1,{` + ppt + `},"com.example.secret"]
			caller < [3,{"message":"received CALL with option ppt_scheme, but the caller has not announced payload passthru mode"},"wamp.error.protocol_violation"]
			caller is closed
			callee nothing`},
		{name: "not announced by the callee", roles: map[string]string{"callee": noCallee}, script: begin + `
			caller > [48,1,{` + ppt + `},"com.example.secret",["\u0000AAEC"]]
			caller < [8,48,1,{},"wamp.error.feature_not_supported",["callee of \"com.example.secret\" does not support payload passthru mode"]]
			callee nothing`},
		{name: "announced by one of two callees", roles: map[string]string{"callee": noCallee}, script: begin + `
			other > [64,1,{"invoke":"first"},"com.example.secret"]
			other < [65,1,1]
			caller > [48,1,{` + ppt + `},"com.example.secret",["\u0000AAEC"]]
			other < [68,1,1,{` + ppt + `},["\u0000AAEC"]]`},
		{name: "a result, not announced by the callee", roles: map[string]string{"callee": noCallee}, script: begin + `
			caller > [48,1,{},"com.example.secret"]
			callee < [68,1,1,{}]
			callee > [70,1,{` + ppt + `},["\u0000AAEC"]]
			callee < [3,{"message":"received YIELD with option ppt_scheme, but the callee has not announced payload passthru mode"},"wamp.error.protocol_violation"]
			callee is closed
			caller < [8,48,1,{},"wamp.error.canceled",["callee session left"]]`},
		{name: "an error, not announced by the callee", roles: map[string]string{"callee": noCallee}, script: begin + `
			caller > [48,1,{},"com.example.secret"]
			callee < [68,1,1,{}]
			callee > [8,68,1,{` + ppt + `},"com.example.error",["\u0000AAEC"]]
			callee < [3,{"message":"received ERROR with ppt_scheme, but the callee has not announced payload passthru mode"},"wamp.error.protocol_violation"]
			callee is closed`},
		{name: "a result, not announced by the caller", roles: noCaller, script: begin + `
			caller > [48,1,{},"com.example.secret"]
			callee < [68,1,1,{}]
			callee > [70,1,{` + ppt + `},["\u0000AAEC"]]
			caller < [8,48,1,{},"wamp.error.feature_not_supported",["caller does not support payload passthru mode, in which the callee has answered"]]
			caller nothing
			callee nothing`},
		{name: "a progressive result, not announced by the caller", roles: noCaller, script: begin + `
			caller > [48,1,{"receive_progress":true},"com.example.secret"]
			callee < [68,1,1,{"receive_progress":true}]
			callee > [70,1,{"progress":true,` + ppt + `},["\u0000AAEC"]]
			caller < [8,48,1,{},"wamp.error.feature_not_supported",[**]]
			callee < [69,1,{"mode":"killnowait"}]
			callee > [70,1,{}]
			caller nothing`},
		{name: "an error, not announced by the caller", roles: noCaller, script: begin + `
			caller > [48,1,{},"com.example.secret"]
			callee < [68,1,1,{}]
			callee > [8,68,1,{` + ppt + `},"com.example.error",["\u0000AAEC"]]
			caller < [8,48,1,{},"com.example.error",["caller does not support payload passthru mode, in which the callee has answered"]]
			caller nothing`},
	})
}
