package router

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"usher/router/realm"
	"usher/router/wamp"
)

func TestPolicyHasTheSettingsOfRealmsAndRoles(t *testing.T) {
	p := Policy(parse(t, strings.NewReplacer("  - name: realm1\n", `  - name: realm2
    roles: [{name: user, trustlevel: 3, allow_disclose_me: false}]
    call_timeout: 5s
    max_call_timeout: 10s
    event_history: {bytes: 1MiB, rules: [{uri: com.example., match: prefix, events: 9, age: 1h}]}
    retained: {events: 5, bytes: 2MiB}
    modify_details: true
  - name: realm1
`).Replace(testConfig)))
	want := realm.Settings{
		CallTimeout:    5 * time.Second,
		MaxCallTimeout: 10 * time.Second,
		History:        []realm.HistoryRule{{URI: "com.example.", Match: wamp.Prefix, Events: 9, Age: time.Hour}},
		HistoryBytes:   1 << 20,
		RetainedEvents: 5,
		RetainedBytes:  2 << 20,
		ModifyDetails:  true,
	}
	if got := p.Realms["realm2"].Settings; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if role := p.Realms["realm2"].Roles["user"]; role.Trustlevel != (wamp.Trustlevel{Level: 3, Given: true}) || !role.DenyDiscloseMe {
		t.Errorf("role %+v", role)
	}
	if got := p.Realms["realm1"]; !reflect.DeepEqual(got.Settings, realm.Settings{}) || len(got.Roles) != 2 {
		t.Errorf("realm1 %+v", got)
	}
}
