package luatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lualib"
)

// sqlAnswer is what test.sql was given.
type sqlAnswer struct {
	pattern string
	value   lua.LValue // a list of rows, a number or a function
}

// testSQL is test.sql(pattern, answer).
func (w *world) testSQL(L *lua.LState) int {
	a := &sqlAnswer{pattern: lualib.CheckString(L, 1)}
	switch v := L.Get(2).(type) {
	case *lua.LTable, *lua.LFunction, lua.LNumber:
		a.value = v
	default:
		lualib.TypeError(L, 2, "table, number or function")
	}
	s := w.nearest()
	s.sql = append(s.sql, a)
	return 0
}

// sqlAnswerTo finds the answer that was given last, in the test before the groups
// around it.
func (w *world) sqlAnswerTo(L *lua.LState, text string) *sqlAnswer {
	for _, s := range w.around() {
		for _, a := range slices.Backward(s.sql) {
			if w.find(L, text, a.pattern) {
				return a
			}
		}
	}
	return nil
}

// sqlFake is all databases of a world: the test answers. It may be called from
// anywhere.
func (w *world) sqlFake(ctx context.Context, name, text string, params []any) ([]map[string]any, int64, error) {
	q := &sqlQuestion{text: strings.Join(strings.Fields(text), " "), params: params, done: make(chan struct{})}
	if err := w.ask(ctx, q); err != nil {
		return nil, 0, err
	}
	select {
	case <-q.done:
		return q.rows, q.changed, q.err
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
}

type sqlQuestion struct {
	text    string // with one space between words
	params  []any
	done    chan struct{}
	rows    []map[string]any
	changed int64
	err     error
}

func (q *sqlQuestion) answer(w *world, L *lua.LState) {
	defer close(q.done)
	a := w.sqlAnswerTo(L, q.text)
	if a == nil {
		q.err = errors.New("the test has no answer to " + q.text)
		w.fail(&Failure{What: "no answer to a statement", Got: q.text,
			Details: []string{"give one with test.sql(pattern, rows)"}})
		return
	}
	value := a.value
	if fn, ok := value.(*lua.LFunction); ok {
		results, raised := w.protected(L, fn, q.values(w)...)
		switch {
		case raised != nil:
			q.err = errors.New(w.text(L, raised)) // as the database would
			return
		case len(results) == 0 || results[0] == lua.LNil:
			if q.err = errors.New("no answer"); len(results) > 1 {
				q.err = errors.New(results[1].String())
			}
			return
		}
		value = results[0]
	}
	if q.err = q.read(value); q.err != nil {
		w.fail(&Failure{What: "the answer to " + q.text + " cannot be one", Got: q.err.Error()})
	}
}

// values are the parameters for a function of the test.
func (q *sqlQuestion) values(w *world) []lua.LValue {
	all := make([]lua.LValue, len(q.params))
	for i, p := range q.params {
		switch p := p.(type) {
		case bool:
			all[i] = lua.LBool(p)
		case int64:
			all[i] = lua.LNumber(p)
		case float64:
			all[i] = lua.LNumber(p)
		case string:
			all[i] = lua.LString(p)
		case []byte:
			all[i] = lua.LString(p)
		default:
			all[i] = lua.LNil
		}
	}
	return all
}

// read reads a list of rows, or a number.
func (q *sqlQuestion) read(v lua.LValue) error {
	if n, ok := v.(lua.LNumber); ok {
		q.changed = int64(n)
		return nil
	}
	list, ok := v.(*lua.LTable)
	if !ok {
		return fmt.Errorf("it is %s, not a list of rows or a number", show(v))
	}
	q.changed = int64(list.Len())
	for i := 1; i <= list.Len(); i++ {
		t, ok := list.RawGetInt(i).(*lua.LTable)
		if !ok {
			return fmt.Errorf("row %d is %s, not a table", i, show(list.RawGetInt(i)))
		}
		row := map[string]any{}
		var bad error
		t.ForEach(func(key, value lua.LValue) {
			switch value := value.(type) {
			case lua.LString:
				row[key.String()] = string(value)
			case lua.LNumber:
				row[key.String()] = float64(value)
			case lua.LBool:
				row[key.String()] = bool(value)
			default:
				bad = fmt.Errorf("%s of row %d is %s, not a string, number or boolean", key.String(), i, show(value))
			}
		})
		if bad != nil {
			return bad
		}
		q.rows = append(q.rows, row)
	}
	return nil
}
