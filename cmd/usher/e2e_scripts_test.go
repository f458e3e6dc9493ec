//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// demoConfig is the demo's configuration with scripts beside it.
func demoConfig(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(text), "port: 8080", "port: PORT", 1)
	if config == string(text) {
		t.Fatal("demo.yaml does not say port: 8080")
	}
	return config
}

func demoScripts(t *testing.T) map[string]string {
	t.Helper()
	scripts := map[string]string{}
	for _, name := range []string{"authenticate.lua", "backend.lua"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "scripts", name))
		if err != nil {
			t.Fatal(err)
		}
		scripts[name] = string(text)
	}
	return scripts
}

// authenticateScript admits joe with a ticket; comment makes versions differ.
func authenticateScript(ticket, comment string) string {
	return fmt.Sprintf(`-- %s
router.join { realm = "realm1", authrole = "authenticator" }
router.authenticator("com.example.authenticate", function(request)
  if request.authid == "joe" and crypto.equal(request.ticket, %q) then return "frontend" end
  return nil, "com.example.invalid_ticket", "no"
end)
`, comment, ticket)
}

func TestSavedScriptTakesEffect(t *testing.T) {
	scripts := demoScripts(t)
	scripts["authenticate.lua"] = authenticateScript("first", "version 1")
	usher := startUsher(t, usherOptions{config: demoConfig(t), scripts: scripts})
	decided := func(ticket string, want float64) {
		t.Helper()
		p, decision := login(t, usher.url, "joe", ticket)
		p.Close()
		if decision[0] != want {
			t.Fatalf("ticket %q: got %v, want a message of type %v", ticket, decision, want)
		}
	}
	eventually := func(ticket string) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; {
			p, decision := login(t, usher.url, "joe", ticket)
			p.Close()
			if decision[0] == 2.0 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("ticket %q is still refused: %v", ticket, decision)
			}
		}
	}
	resident, decision := login(t, usher.url, "joe", "first")
	if decision[0] != 2.0 {
		t.Fatalf("got %v, want WELCOME", decision)
	}

	path := usher.scriptPath("authenticate.lua")
	writeScript(t, path, authenticateScript("second", "version 2"))
	eventually("second")
	decided("first", 3)

	// A broken save keeps the last good version and says where it is broken.
	writeScript(t, path, authenticateScript("third", "version 3")+"\nlocal = nonsense\n")
	usher.log.waitFor(t, usher.exited, `authenticate\.lua:8`)
	decided("second", 2)
	decided("third", 3)

	writeScript(t, path, authenticateScript("fourth", "version 4"))
	eventually("fourth")

	// Who was logged in noticed nothing.
	resident.send(48, resident.request(), map[string]any{}, "com.example.add2", []any{2, 3})
	if result := resident.expect(50, 1); fmt.Sprint(result[3]) != "[5]" {
		t.Errorf("add2(2, 3) is %v", result[3])
	}
	if n := strings.Count(usher.log.String(), "authenticate.lua:8"); n != 1 {
		t.Errorf("the broken line was reported %d times, want once", n)
	}
}

// Real logins at full speed while the authenticator is saved over and over,
// every fifth time broken: nobody whom all versions admit is refused.
func TestReloadUnderLogins(t *testing.T) {
	scripts := demoScripts(t)
	scripts["authenticate.lua"] = authenticateScript("always", "version 0")
	usher := startUsher(t, usherOptions{config: demoConfig(t), scripts: scripts})
	var logins, refused atomic.Int64
	done := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := loginOnce(usher.url); err != nil {
					refused.Add(1)
					t.Errorf("after %d logins: %v", logins.Load(), err)
					return
				}
				logins.Add(1)
			}
		})
	}
	path := usher.scriptPath("authenticate.lua")
	saves := scaled(200)
	for i := 1; i <= saves && refused.Load() == 0; i++ {
		text := authenticateScript("always", fmt.Sprintf("version %d", i))
		if i%5 == 0 && i < saves {
			text += "return return\n"
		}
		writeScript(t, path, text)
		time.Sleep(60 * time.Millisecond) // longer than saves are gathered for
	}
	writeScript(t, path, authenticateScript("always", "the last version")+"print('the last version runs')\n")
	usher.log.waitFor(t, usher.exited, `the last version runs`)
	close(done)
	group.Wait()
	if logins.Load() < int64(saves) {
		t.Errorf("only %d logins beside %d saves", logins.Load(), saves)
	}
}

// loginOnce logs in as joe, calls, and leaves.
func loginOnce(url string) error {
	c, _, err := dialRaw(url, map[string][]string{"Sec-Websocket-Protocol": {"wamp.2.json"}})
	if err != nil {
		return err
	}
	defer c.Close()
	p := &peer{Conn: c}
	for _, step := range []struct {
		send []any
		want float64
	}{
		{[]any{1, "realm1", map[string]any{"roles": map[string]any{"caller": map[string]any{}}, "authmethods": []string{"ticket"}, "authid": "joe"}}, 4},
		{[]any{5, "always", map[string]any{}}, 2},
		{[]any{48, 1, map[string]any{}, "com.example.add2", []any{2, 3}}, 50},
		{[]any{6, map[string]any{}, "wamp.close.normal"}, 6},
	} {
		if err := p.trySend(step.send...); err != nil {
			return err
		}
		m, err := p.tryReceive()
		if err != nil {
			return err
		}
		if m[0] != step.want {
			return fmt.Errorf("got %v after %v", m, step.send[0])
		}
	}
	return nil
}

// remoteConfig is the demo's configuration, with a path at which the
// authenticator itself joins, and without scripts.
func remoteConfig(t *testing.T) string {
	t.Helper()
	config, _, found := strings.Cut(demoConfig(t), "\nscripts:")
	if !found {
		t.Fatal("demo.yaml has no scripts")
	}
	return config + `
      internal:
        type: websocket
        auth:
          ticket:
            type: static
            principals:
              remote: {ticket: remote-secret, role: authenticator}
`
}

// TestRemoteAuthenticator lets a program in Python decide about logins.
func TestRemoteAuthenticator(t *testing.T) {
	if testing.Short() {
		t.Skip("foreign clients are not run with -short")
	}
	dir := need(t, pythonClients())
	usher := startUsher(t, usherOptions{config: remoteConfig(t)})

	// Nobody decides yet: refused at once, not waited for.
	if _, decision := login(t, usher.url, "joe", "secret!!!"); decision[0] != 3.0 || decision[2] != "wamp.error.authentication_failed" {
		t.Fatalf("without an authenticator: got %v, want ABORT wamp.error.authentication_failed", decision)
	}

	authenticator := exec.Command("python3", filepath.Join("testdata", "clients", "authenticator.py"), strings.TrimSuffix(usher.url, "ws")+"internal")
	authenticator.Env = append(os.Environ(), "TICKET=remote-secret", "PYTHONPATH="+filepath.Join(dir, "site"), "PYTHONDONTWRITEBYTECODE=1")
	authenticator.Stderr = usher.log
	stdout, err := authenticator.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := authenticator.Start(); err != nil {
		t.Fatal(err)
	}
	defer authenticator.Wait()
	defer authenticator.Process.Kill()
	said := make(chan []any, 100)
	go func() { // ends with the program's output
		defer close(said)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var line []any
			if json.Unmarshal(lines.Bytes(), &line) == nil {
				said <- line
			}
		}
	}()
	hear := func(what string) any {
		t.Helper()
		select {
		case line := <-said:
			if len(line) == 2 && line[0] == what {
				return line[1]
			}
			t.Fatalf("the authenticator said %v, want %s", line, what)
		case <-time.After(startTimeout):
			t.Fatalf("the authenticator does not say %s", what)
		}
		return nil
	}
	hear("registered")

	client := autobahnPython("twisted", "msgpack.batched")
	for _, c := range []struct {
		authid, ticket string
		want           []string
	}{
		{"client2", "123sekret", nil},
		{"joe", "wrong", refused("com.example.invalid_ticket", "could not authenticate session - invalid ticket 'wrong' for principal joe")},
		{"nobody", "x", refused("com.example.no_such_user", "could not authenticate session - no such principal nobody")},
	} {
		lines, _ := client.run(t, usher.url, c.authid, c.ticket)
		if c.want == nil && !slices.Contains(lines, `["join",["client2","frontend","ticket","dynamic"]]`) || c.want != nil && !slices.Equal(lines, c.want) {
			t.Errorf("%s: got %q", c.authid, lines)
		}
		asked := hear("asked").([]any)
		details := asked[2].(map[string]any)
		transport, _ := details["transport"].(map[string]any)
		headers, _ := transport["http_headers_received"].(map[string]any)
		agent, _ := headers["user-agent"].(string)
		peer, _ := transport["peer"].(string)
		if asked[0] != "realm1" || asked[1] != c.authid || details["ticket"] != c.ticket || details["authmethod"] != "ticket" ||
			transport["protocol"] != "wamp.2.msgpack.batched" || transport["type"] != "websocket" ||
			!strings.HasPrefix(peer, "tcp4:127.0.0.1:") || !strings.HasPrefix(agent, "AutobahnPython/") {
			t.Errorf("the authenticator was asked about %v", asked)
		}
		if session, _ := details["session"].(float64); session < 1 {
			t.Errorf("no session id in %v", details)
		}
	}

	// One that dies leaves logins refused, not waiting.
	if err := authenticator.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range said {
	}
	for deadline := time.Now().Add(patience); ; {
		_, decision := login(t, usher.url, "joe", "secret!!!")
		if decision[0] == 3.0 && decision[2] == "wamp.error.authentication_failed" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after its authenticator died: got %v, want ABORT wamp.error.authentication_failed", decision)
		}
	}
}
