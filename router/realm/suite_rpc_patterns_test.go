package realm

import (
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

// TestSuitePatterns: which of several registrations that match gets a call, and
// what it learns of the procedure.
func TestSuitePatterns(t *testing.T) {
	play(t, scenario(), []scene{
		{name: "the order of the specification", script: `
			callee > [64,1,{},"a1.b2.c3.d4.e55"]
			callee < [65,1,1]
			callee > [64,2,{"match":"prefix"},"a1.b2.c3"]
			callee < [65,2,2]
			callee > [64,3,{"match":"prefix"},"a1.b2.c3.d4"]
			callee < [65,3,3]
			callee > [64,4,{"match":"wildcard"},"a1.b2..d4.e5"]
			callee < [65,4,4]
			callee > [64,5,{"match":"wildcard"},"a1.b2.d33..e5"]
			callee < [65,5,5]
			callee > [64,6,{"match":"wildcard"},"a1.b2..d4.e5..g7"]
			callee < [65,6,6]
			callee > [64,7,{"match":"wildcard"},"a1.b2..d4..f6.g7"]
			callee < [65,7,7]
			caller > [48,1,{},"a1.b2.c3.d4.e55"]
			callee < [68,1,1,{}]
			caller > [48,2,{},"a1.b2.c3.d98.e74"]
			callee < [68,2,2,{"procedure":"a1.b2.c3.d98.e74"}]
			caller > [48,3,{},"a1.b2.c3.d4.e325"]
			callee < [68,3,3,{"procedure":"a1.b2.c3.d4.e325"}]
			caller > [48,4,{},"a1.b2.c55.d4.e5"]
			callee < [68,4,4,{"procedure":"a1.b2.c55.d4.e5"}]
			caller > [48,5,{},"a1.b2.d33.d4.e5"]
			callee < [68,5,5,{"procedure":"a1.b2.d33.d4.e5"}]
			caller > [48,6,{},"a1.b2.c88.d4.e5.f6.g7"]
			callee < [68,6,6,{"procedure":"a1.b2.c88.d4.e5.f6.g7"}]
			caller > [48,7,{},"a2.b2.c2.d2.e2"]
			caller < [8,48,7,{},"wamp.error.no_such_procedure",["no callee is registered for procedure \"a2.b2.c2.d2.e2\""]]`},
		{name: "prefix", script: `
			callee > [64,1,{"match":"prefix"},"com.example.obj"]
			callee < [65,1,1]
			caller > [48,1,{},"com.example.obj.method1",["x"]]
			callee < [68,1,1,{"procedure":"com.example.obj.method1"},["x"]]
			callee > [70,1,{},["ok"]]
			caller < [50,1,{},["ok"]]
			caller > [48,2,{},"com.example.object"]
			callee < [68,2,1,{"procedure":"com.example.object"}]
			caller > [48,3,{},"com.example.obj"]
			callee < [68,3,1,{"procedure":"com.example.obj"}]
			caller > [48,4,{},"com.example.ob"]
			caller < [8,48,4,{},"wamp.error.no_such_procedure",[**]]`},
		{name: "one place, three policies", script: `
			callee > [64,1,{"match":"wildcard"},"com.example.p"]
			callee < [65,1,1]
			callee > [64,2,{"match":"prefix"},"com.example.p"]
			callee < [65,2,2]
			callee > [64,3,{"match":"exact"},"com.example.p"]
			callee < [65,3,3]
			caller > [48,1,{},"com.example.p"]
			callee < [68,1,3,{}]
			callee > [66,4,3]
			callee < [67,4]
			caller > [48,2,{},"com.example.p"]
			callee < [68,2,2,{"procedure":"com.example.p"}]
			callee > [66,5,2]
			callee < [67,5]
			caller > [48,3,{},"com.example.p"]
			callee < [68,3,1,{"procedure":"com.example.p"}]`},
	})
}

// TestSuitePatternPermissions: a callee gets no call of a procedure that its role
// may not serve, though its pattern matches: the next best registration does.
func TestSuitePatternPermissions(t *testing.T) {
	p := scenario()
	p.Realms["realm1"].Roles["some"] = &auth.Role{Name: "some", Rules: []auth.Rule{
		{URI: "com.", Match: wamp.Prefix, Allow: all},
		{URI: "com.example.secret", Match: wamp.Prefix},
	}}
	play(t, p, []scene{
		{name: "a longer prefix", as: map[string]string{"one": "some"}, script: `
			one > [64,1,{"match":"prefix"},"com.example."]
			one < [65,1,1]
			two > [64,1,{"match":"prefix"},"com."]
			two < [65,1,2]
			caller > [48,1,{},"com.example.open"]
			one < [68,1,1,{"procedure":"com.example.open"}]
			caller > [48,2,{},"com.example.secret"]
			two < [68,1,2,{"procedure":"com.example.secret"}]`},
		{name: "a prefix before a wildcard", as: map[string]string{"one": "some", "two": "some"}, script: `
			one > [64,1,{"match":"prefix"},"com.example."]
			one < [65,1,1]
			two > [64,1,{"match":"prefix"},"com."]
			two < [65,1,2]
			three > [64,1,{"match":"wildcard"},"com..secret"]
			three < [65,1,3]
			caller > [48,1,{},"com.example.secret"]
			three < [68,1,3,{"procedure":"com.example.secret"}]`},
		{name: "nobody may", as: map[string]string{"one": "some"}, script: `
			one > [64,1,{"match":"prefix"},"com.example."]
			one < [65,1,1]
			caller > [48,1,{},"com.example.secret.a"]
			caller < [8,48,1,{},"wamp.error.no_such_procedure",["no callee is registered for procedure \"com.example.secret.a\""]]`},
		{name: "one of those who share may", as: map[string]string{"one": "some"}, script: `
			one > [64,1,{"match":"prefix","invoke":"first"},"com.example."]
			one < [65,1,1]
			two > [64,1,{"match":"prefix","invoke":"first"},"com.example."]
			two < [65,1,1]
			caller > [48,1,{},"com.example.secret"]
			two < [68,1,1,{"procedure":"com.example.secret"}]
			caller > [48,2,{},"com.example.open"]
			one < [68,1,1,{"procedure":"com.example.open"}]`},
	})
}
