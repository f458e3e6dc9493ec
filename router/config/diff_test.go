package config

import (
	"net/netip"
	"reflect"
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

// full has something wherever Diff has to look into a list.
func full() *Config {
	return &Config{
		Realms: []Realm{{
			Name:     "realm1",
			Roles:    []*auth.Role{{Name: "frontend", Rules: []auth.Rule{{URI: "com.example."}}, Trustlevel: wamp.Trustlevel{Given: true}}},
			Settings: RealmSettings{History: []HistoryRule{{URI: "com.example."}}},
		}},
		Transports: []Transport{{
			Endpoint:  Endpoint{Port: 8080, TLS: &TLS{Chain: []string{"a"}, ClientCAs: []string{"b"}}},
			Paths:     []Path{{Path: "/ws", WebSocket: &WebSocket{}}},
			RawSocket: &RawSocket{},
			Universal: true,
		}},
		Scripts:        Scripts{Env: []string{"A"}, HTTP: ScriptHTTP{Allow: []string{"a"}}, SQL: map[string]ScriptSQL{"a": {}}},
		Components:     map[string]Component{"a": {}},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		AllowedHosts:   []string{"a"},
	}
}

// TestNoDifferenceIsMissed: whatever field is another one, it is told. A change that
// is not would be taken up without a look at whether the scripts go with it.
func TestNoDifferenceIsMissed(t *testing.T) {
	a, b, n := full(), full(), 0
	if changes := Diff(a, b); len(changes) != 0 {
		t.Fatalf("two that are the same differ: %v", changes)
	}
	changeEach(reflect.ValueOf(b).Elem(), "", func(path string) {
		n++
		if len(Diff(a, b)) == 0 {
			t.Errorf("another %s is not told", path)
		}
	})
	if n < 80 || !reflect.DeepEqual(a, b) {
		t.Errorf("%d fields were tried", n)
	}
}

// changeEach gives each field within v another value, calls try, and puts it back.
func changeEach(v reflect.Value, path string, try func(path string)) {
	before := reflect.New(v.Type()).Elem()
	before.Set(v)
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch at := path + "." + f.Name; {
			case !f.IsExported(), at == ".File", at == ".Crossbar", at == ".Warnings":
				// What the file is called and what it warns of is no part of what it says.
			default:
				changeEach(v.Field(i), at, try)
			}
		}
		return
	case reflect.Pointer:
		if !v.IsNil() {
			changeEach(v.Elem(), path, try)
		}
		return
	case reflect.Slice:
		for i := range v.Len() {
			changeEach(v.Index(i), path+"[]", try)
		}
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		} else {
			v.Set(v.Slice(0, 0))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(v.Uint() + 1)
	default:
		panic("a field of kind " + v.Kind().String() + ": " + path)
	}
	try(path)
	v.Set(before)
}
