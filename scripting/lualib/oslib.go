package lualib

import (
	"fmt"
	"math"
	"time"

	lua "github.com/yuin/gopher-lua"
)

func (m *machine) openOS(L *lua.LState, globals *lua.LTable) {
	globals.RawSetString("os", newModule(L, map[string]lua.LGFunction{
		"clock":    m.osClock,
		"date":     m.osDate,
		"difftime": osDifftime,
		"getenv":   m.osGetenv,
		"time":     m.osTime,
	}))
}

// osClock returns the seconds since the virtual machine began, not the
// processor time, which would be that of all scripts.
func (m *machine) osClock(L *lua.LState) int {
	return pushNumber(L, m.options.Now().Sub(m.start).Seconds())
}

func osDifftime(L *lua.LState) int {
	earlier := OptInteger(L, 2, 0)
	return pushNumber(L, float64(CheckInteger(L, 1))-float64(earlier))
}

func (m *machine) osGetenv(L *lua.LState) int {
	name := CheckString(L, 1)
	if m.options.Getenv != nil {
		if value, ok := m.options.Getenv(name); ok {
			return pushString(L, value)
		}
	}
	L.Push(lua.LNil)
	return 1
}

// osTime returns the seconds since 1970 of now, or of a table's date in local
// time, which may be out of range in each field.
func (m *machine) osTime(L *lua.LState) int {
	if L.Get(1) == lua.LNil {
		return pushNumber(L, float64(m.options.Now().Unix()))
	}
	t := CheckTable(L, 1)
	second := dateField(L, t, "sec", 0)
	minute := dateField(L, t, "min", 0)
	hour := dateField(L, t, "hour", 12)
	day := dateField(L, t, "day", -1)
	month := dateField(L, t, "month", -1)
	year := dateField(L, t, "year", -1)
	date := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.Local)
	if isdst := L.GetField(t, "isdst"); isdst != lua.LNil {
		// The fields are meant in summer or winter time: correct for the
		// other, by an hour as almost everywhere.
		switch want := lua.LVAsBool(isdst); {
		case want && !date.IsDST():
			date = date.Add(-time.Hour)
		case !want && date.IsDST():
			date = date.Add(time.Hour)
		}
	}
	return pushNumber(L, float64(date.Unix()))
}

// dateField returns an integer of a date table; a negative default means that
// it must be there.
func dateField(L *lua.LState, t *lua.LTable, name string, def int) int {
	n, ok := toNumber(L.GetField(t, name))
	switch {
	case ok:
		return int(int32(toInteger(float64(n))))
	case def < 0:
		Errorf(L, "field '%s' missing in date table", name)
	}
	return def
}

// maxTime is the last second whose year a C int can hold.
const maxTime = 67768036191676799

func (m *machine) osDate(L *lua.LState) int {
	format := cString(OptString(L, 1, "%c"))
	var seconds int64
	if L.Get(2) == lua.LNil {
		seconds = m.options.Now().Unix()
	} else {
		seconds = CheckInteger(L, 2)
	}
	if seconds > maxTime || seconds < -maxTime {
		L.Push(lua.LNil)
		return 1
	}
	t := time.Unix(seconds, 0)
	if format != "" && format[0] == '!' {
		t = t.UTC()
		format = format[1:]
	} else {
		t = t.In(time.Local)
	}
	if format == "*t" {
		L.Push(dateTable(L, t))
		return 1
	}
	var out buffer
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out.addByte(L, format[i])
			continue
		}
		i++
		out.addString(L, dateText(t, format[i]))
	}
	return out.push(L)
}

func dateTable(L *lua.LState, t time.Time) *lua.LTable {
	table := L.CreateTable(0, 9)
	for name, n := range map[string]int{
		"sec": t.Second(), "min": t.Minute(), "hour": t.Hour(), "day": t.Day(), "month": int(t.Month()),
		"year": t.Year(), "wday": int(t.Weekday()) + 1, "yday": t.YearDay(),
	} {
		table.RawSetString(name, lua.LNumber(n))
	}
	table.RawSetString("isdst", lua.LBool(t.IsDST()))
	return table
}

// dateText is one conversion of C's strftime in the C locale. What is none
// stays as it is.
func dateText(t time.Time, verb byte) string {
	hour12 := (t.Hour()+11)%12 + 1
	switch verb {
	case 'a':
		return t.Weekday().String()[:3]
	case 'A':
		return t.Weekday().String()
	case 'b', 'h':
		return t.Month().String()[:3]
	case 'B':
		return t.Month().String()
	case 'c':
		return fmt.Sprintf("%s %s %2d %s %d", dateText(t, 'a'), dateText(t, 'b'), t.Day(), dateText(t, 'T'), t.Year())
	case 'C':
		return fmt.Sprintf("%02d", floorDiv(t.Year(), 100))
	case 'd':
		return fmt.Sprintf("%02d", t.Day())
	case 'D', 'x':
		return fmt.Sprintf("%02d/%02d/%s", int(t.Month()), t.Day(), dateText(t, 'y'))
	case 'e':
		return fmt.Sprintf("%2d", t.Day())
	case 'F':
		return fmt.Sprintf("%d-%02d-%02d", t.Year(), int(t.Month()), t.Day())
	case 'g':
		year, _ := t.ISOWeek()
		return fmt.Sprintf("%02d", year-100*floorDiv(year, 100))
	case 'G':
		year, _ := t.ISOWeek()
		return fmt.Sprint(year)
	case 'H':
		return fmt.Sprintf("%02d", t.Hour())
	case 'I':
		return fmt.Sprintf("%02d", hour12)
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay())
	case 'k':
		return fmt.Sprintf("%2d", t.Hour())
	case 'l':
		return fmt.Sprintf("%2d", hour12)
	case 'm':
		return fmt.Sprintf("%02d", int(t.Month()))
	case 'M':
		return fmt.Sprintf("%02d", t.Minute())
	case 'n':
		return "\n"
	case 'p':
		return t.Format("PM")
	case 'P':
		return t.Format("pm")
	case 'r':
		return fmt.Sprintf("%02d:%02d:%02d %s", hour12, t.Minute(), t.Second(), dateText(t, 'p'))
	case 'R':
		return fmt.Sprintf("%02d:%02d", t.Hour(), t.Minute())
	case 's':
		return fmt.Sprint(t.Unix())
	case 'S':
		return fmt.Sprintf("%02d", t.Second())
	case 't':
		return "\t"
	case 'T', 'X':
		return fmt.Sprintf("%02d:%02d:%02d", t.Hour(), t.Minute(), t.Second())
	case 'u':
		return fmt.Sprint((int(t.Weekday())+6)%7 + 1)
	case 'U':
		return fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7)
	case 'V':
		_, week := t.ISOWeek()
		return fmt.Sprintf("%02d", week)
	case 'w':
		return fmt.Sprint(int(t.Weekday()))
	case 'W':
		return fmt.Sprintf("%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7)
	case 'y':
		return fmt.Sprintf("%02d", t.Year()-100*floorDiv(t.Year(), 100))
	case 'Y':
		return fmt.Sprint(t.Year())
	case 'z':
		return t.Format("-0700")
	case 'Z':
		if t.Location() == time.UTC {
			return "GMT"
		}
		return t.Format("MST")
	case '%':
		return "%"
	}
	return "%" + string([]byte{verb})
}

func floorDiv(a, b int) int {
	return int(math.Floor(float64(a) / float64(b)))
}
