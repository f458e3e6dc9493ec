package realm

import (
	"fmt"
	"testing"
)

// TestSuiteBasic is the basic profile: one call, its error, one event, and the
// ends of what made them possible.
func TestSuiteBasic(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		one, other := w.joinOver(over, "anyone"), w.joinOver(over, "anyone")

		registration := one.register("com.example.add2", `{}`)
		other.send(fmt.Sprintf(`[48,%d,{},"com.example.add2",[2,3],{"k":"v"}]`, other.next()))
		one.expect(fmt.Sprintf(`[68,1,%d,{},[2,3],{"k":"v"}]`, registration))
		one.send(`[70,1,{},[5],{"unit":"ms"}]`)
		other.expect(`[50,1,{},[5],{"unit":"ms"}]`)
		other.send(fmt.Sprintf(`[48,%d,{},"com.example.add2"]`, other.next()))
		one.expect(fmt.Sprintf(`[68,2,%d,{}]`, registration))
		one.send(`[8,68,2,{},"com.example.error",["no"],{"k":1}]`)
		other.expect(`[8,48,2,{},"com.example.error",["no"],{"k":1}]`)

		subscription := other.subscribe("com.example.topic", `{}`)
		one.send(fmt.Sprintf(`[16,%d,{"acknowledge":true},"com.example.topic",["hello"],{"k":2}]`, one.next()))
		one.expect(`[17,2,*]`)
		other.expect(fmt.Sprintf(`[36,%d,*,{},["hello"],{"k":2}]`, subscription))

		other.send(fmt.Sprintf(`[34,%d,%d]`, other.next(), subscription))
		other.expect(`[35,4]`)
		one.send(fmt.Sprintf(`[66,%d,%d]`, one.next(), registration))
		one.expect(`[67,3]`)
		one.leave()
		other.leave()
	})
}
