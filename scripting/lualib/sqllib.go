package lualib

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/luaconv"
)

// The bounds on one query. What its rows hold counts against the call's budget.
const (
	maxRows    = 10_000
	maxColumns = 500
	maxParams  = 1000
)

// OpenSQL creates the global table sql: open(name) gives a database of the
// configuration, with the methods
//
//	db:query(text, …)         a list of rows, each a table by the columns' names
//	db:query_row(text, …)     the first row, or nil
//	db:exec(text, …)          how many rows were changed
//	db:transaction(fn)        what fn(tx) returns; tx has the first three. Where fn
//	                          raises an error, nothing of it is done
//
// What follows the text are its parameters: $1 in PostgreSQL, ? in SQLite. NULL
// is nil, or null as a parameter; an integer beyond 2^53 and a numeric are a
// string; bytes are a string, and router.binary(s) as a parameter; a time is a
// string in RFC 3339. Errors are raised, with the database's text and code.
// databases is asked at each use.
func OpenSQL(L *lua.LState, values *luaconv.Converter, databases func() *Databases) {
	L.SetGlobal("sql", newModule(L, map[string]lua.LGFunction{
		"open": func(L *lua.LState) int {
			name := checkText(L, 1)
			if _, err := databases().get(name); err != nil {
				Errorf(L, "sql.open: %v", err)
			}
			h := &sqlHandle{name: name, values: values, databases: databases}
			t := h.methods(L)
			t.RawSetString("transaction", L.NewFunction(h.transaction))
			L.Push(t)
			return 1
		},
	}))
}

// sqlHandle is what sql.open returns, or the tx of a transaction.
type sqlHandle struct {
	name      string
	values    *luaconv.Converter
	databases func() *Databases
	self      *lua.LTable
	within    bool // its transaction runs

	// Of a transaction.
	tx    *sql.Tx // nil: none
	ended bool
}

func (h *sqlHandle) methods(L *lua.LState) *lua.LTable {
	h.self = newModule(L, map[string]lua.LGFunction{
		"query": func(L *lua.LState) int {
			rows := h.run(L, "query", maxRows)
			list := L.CreateTable(len(rows.values), 0)
			for i := range rows.values {
				list.RawSetInt(i+1, rows.table(L, i))
			}
			list.Metatable = h.values.ListMeta()
			L.Push(list)
			return 1
		},
		"query_row": func(L *lua.LState) int {
			rows := h.run(L, "query_row", 1)
			if len(rows.values) == 0 {
				L.Push(lua.LNil)
			} else {
				L.Push(rows.table(L, 0))
			}
			return 1
		},
		"exec": func(L *lua.LState) int {
			L.Push(lua.LNumber(h.run(L, "exec", 0).changed))
			return 1
		},
	})
	return h.self
}

// sqlRows are the answer to a statement.
type sqlRows struct {
	columns []string
	values  [][]lua.LValue
	changed int64
}

func (r *sqlRows) table(L *lua.LState, i int) *lua.LTable {
	t := L.CreateTable(0, len(r.columns))
	for j, name := range r.columns {
		t.RawSetString(name, r.values[i][j])
	}
	return t
}

// fail raises what went wrong with the database.
func (h *sqlHandle) fail(L *lua.LState, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("time-out")
	}
	Errorf(L, "sql: database %s: %v", h.name, err)
}

// querier is a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// run runs a method's statement; most is how many rows are read, 0 for one that
// has none.
func (h *sqlHandle) run(L *lua.LState, verb string, most int) *sqlRows {
	if L.Get(1) != lua.LValue(h.self) {
		Errorf(L, "sql: write db:%s(…), with a colon", verb)
	}
	text, params := checkText(L, 2), h.params(L)
	mayReachOut(L, "sql:"+verb)
	h.checkWithin(L, verb)
	if h.ended {
		Errorf(L, "sql: the transaction has ended")
	}
	count := meterOf(L)
	var rows *sqlRows
	var err error
	waitFor(L, func(ctx context.Context) {
		if fake := h.databases().fake; fake != nil {
			rows, err = fake.statement(ctx, count, h.name, most, text, params)
			return
		}
		if h.tx != nil {
			rows, err = statement(ctx, h.tx, count, most, text, params)
			return
		}
		var db *database
		if db, err = h.databases().get(h.name); err != nil {
			return
		}
		err = db.retry(ctx, func() error {
			c, err := db.conn(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			rows, err = statement(ctx, c, count, most, text, params)
			return err
		})
	})
	if err != nil {
		h.fail(L, err)
	}
	return rows
}

// checkWithin raises an error where a script uses the database in place of the
// transaction that it is in: it would wait for itself, for a lock or a connection.
func (h *sqlHandle) checkWithin(L *lua.LState, verb string) {
	if h.within {
		Errorf(L, "sql: db:%s inside of db:transaction(function(tx) … end): use tx", verb)
	}
}

// params are the arguments from 3 on.
func (h *sqlHandle) params(L *lua.LState) []any {
	n := L.GetTop() - 2
	if n > maxParams {
		Errorf(L, "sql: more than %d parameters", maxParams)
	}
	params := make([]any, max(n, 0))
	for i := range params {
		switch v := L.Get(i + 3).(type) {
		case *lua.LNilType:
		case lua.LBool:
			params[i] = bool(v)
		case lua.LNumber:
			if f := float64(v); f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
				params[i] = int64(f)
			} else {
				params[i] = f
			}
		case lua.LString:
			params[i] = string(v)
		default:
			b, ok := luaconv.Bytes(v)
			switch {
			case ok:
				params[i] = []byte(b)
			case !h.values.IsNull(v):
				ArgError(L, i+3, "a parameter must be nil, a boolean, a number, a string or router.binary, not a "+TypeName(v))
			}
		}
	}
	return params
}

func statement(ctx context.Context, q querier, m luaconv.Meter, most int, text string, params []any) (*sqlRows, error) {
	if most == 0 {
		result, err := q.ExecContext(ctx, text, params...)
		if err != nil {
			return nil, err
		}
		n, err := result.RowsAffected()
		return &sqlRows{changed: n}, err
	}
	rows, err := q.QueryContext(ctx, text, params...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	r := &sqlRows{}
	if r.columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	if err := checkColumns(r.columns); err != nil {
		return nil, err
	}
	got := make([]any, len(r.columns))
	into := make([]any, len(r.columns))
	for i := range got {
		into[i] = &got[i]
	}
	for rows.Next() {
		if len(r.values) == most {
			if most == 1 {
				return r, nil
			}
			return nil, fmt.Errorf("the query has more than %d rows: use LIMIT", most)
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		if err := m.Bytes(256 + 2*slotBytes*len(got)); err != nil {
			return nil, err
		}
		row := make([]lua.LValue, len(got))
		for i, v := range got {
			if row[i], err = sqlValue(m, v); err != nil {
				return nil, err
			}
		}
		r.values = append(r.values, row)
	}
	return r, rows.Err()
}

// statement is the function of that name for a fake.
func (f FakeDatabase) statement(ctx context.Context, m luaconv.Meter, name string, most int, text string, params []any) (*sqlRows, error) {
	rows, changed, err := f(ctx, name, text, params)
	if err != nil {
		return nil, err
	}
	r := &sqlRows{changed: changed}
	for _, row := range rows[:min(most, len(rows))] {
		for column := range row {
			if !slices.Contains(r.columns, column) {
				r.columns = append(r.columns, column)
			}
		}
	}
	for _, row := range rows[:min(most, len(rows))] {
		values := make([]lua.LValue, len(r.columns))
		for i, column := range r.columns {
			if values[i], err = sqlValue(m, row[column]); err != nil {
				return nil, err
			}
		}
		r.values = append(r.values, values)
	}
	return r, nil
}

func checkColumns(names []string) error {
	if len(names) > maxColumns {
		return fmt.Errorf("the query has more than %d columns", maxColumns)
	}
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			return fmt.Errorf("two columns are called %q: name them with AS", CutText(name, 100))
		}
		seen[name] = true
	}
	return nil
}

// sqlValue is a column's value for a script.
func sqlValue(m luaconv.Meter, v any) (lua.LValue, error) {
	var text string
	switch v := v.(type) {
	case nil:
		return lua.LNil, nil
	case bool:
		return lua.LBool(v), nil
	case int64:
		if v >= -1<<53 && v <= 1<<53 {
			return lua.LNumber(v), nil
		}
		text = strconv.FormatInt(v, 10)
	case float64:
		return lua.LNumber(v), nil
	case string:
		text = v
	case []byte:
		text = string(v)
	case time.Time:
		text = v.Format(time.RFC3339Nano)
	default:
		return nil, fmt.Errorf("a column has the type %T", v)
	}
	return lua.LString(text), m.Bytes(len(text))
}

// transaction is db:transaction(fn).
func (h *sqlHandle) transaction(L *lua.LState) int {
	if L.Get(1) != lua.LValue(h.self) {
		Errorf(L, "sql: write db:transaction(…), with a colon")
	}
	fn := CheckFunction(L, 2)
	mayReachOut(L, "sql:transaction")
	h.checkWithin(L, "transaction")
	db, err := h.databases().get(h.name)
	if err != nil {
		h.fail(L, err)
	}
	// The transaction's: it outlives the waits of its statements.
	ctx, cancel := waitContext(L)
	defer cancel()
	in := &sqlHandle{name: h.name, values: h.values, databases: h.databases}
	var conn *sql.Conn
	h.within = true
	defer func() {
		h.within, in.ended = false, true
		if in.tx != nil {
			in.tx.Rollback() // has no effect after a commit; the deadline bounds it
		}
		if conn != nil {
			conn.Close()
		}
	}()
	if h.databases().fake == nil { // which begins and commits nothing
		waitFor(L, func(context.Context) {
			if conn, err = db.conn(ctx); err == nil {
				err = db.retry(ctx, func() (err error) {
					in.tx, err = conn.BeginTx(ctx, nil)
					return err
				})
			}
		})
		if err != nil {
			h.fail(L, err)
		}
	}
	L.SetTop(0)
	L.Push(fn)
	L.Push(in.methods(L))
	L.Call(1, lua.MultRet)
	if in.tx != nil {
		waitFor(L, func(context.Context) { err = in.tx.Commit() })
		if err != nil {
			h.fail(L, err)
		}
	}
	return L.GetTop()
}
