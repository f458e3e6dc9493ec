package scripting

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	lua "github.com/yuin/gopher-lua"

	"usher/router/wamp"
)

// textPayload is the payload of an error with one text.
func textPayload(text string) wamp.Payload {
	args, err := json.Marshal([]string{text})
	if err != nil { // cannot be: a string becomes valid UTF-8
		return wamp.Payload{}
	}
	return wamp.Payload{Format: wamp.JSON, Args: args}
}

// handleCall runs a procedure and answers its caller.
func (v *vm) handleCall(w *work) {
	i := w.invocation
	index, ok := v.gen.find(place{false, i.URI, i.Match})
	if !ok {
		i.Error(wamp.ErrNoSuchProcedure, textPayload("the procedure has been unregistered"))
		return
	}
	if i.Ended() { // while it waited
		i.Error(wamp.ErrCanceled, textPayload(errUnwanted.Error()))
		return
	}
	ctx, cancel := v.handlerContext(&i.Details)
	defer cancel()
	v.depth = w.depth
	defer func() { v.depth = 0 }()
	fn := v.handlers[index]
	var answer wamp.Payload
	var invalid error    // arguments that Lua cannot hold
	var raised *wampCall // an application error
	err := v.do(ctx, v.gen.declarations[index].String(), func() error {
		args, kwargs, err := v.values.Payload(v.budget, w.payload)
		if err != nil {
			invalid = err
			return nil
		}
		var results []lua.LValue
		err = v.whileWanted(i, func() error {
			results, err = v.call(fn, args, kwargs, v.callDetails(w))
			return err
		})
		if err != nil {
			raised, err = v.raisedCall(i.Format(), err)
			return err
		}
		if answer, err = v.answer(i.Format(), results); err != nil {
			return fmt.Errorf("%s: %w", definition(fn), err)
		}
		return nil
	})
	switch {
	case errors.Is(err, errUnwanted):
		// It says nothing against the script, whose VM is gone all the same.
		v.gen.log.Info("procedure stopped", failureFields(err)...)
		i.Error(wamp.ErrCanceled, textPayload(errUnwanted.Error()))
	case errors.Is(err, errTooLong):
		v.gen.log.Warn("procedure stopped", failureFields(err)...)
		i.Error(wamp.ErrTimeout, textPayload(errTooLong.Error()))
	case err != nil:
		reference := rand.Text()[:8]
		logFailure(v.gen.log.With(slog.String("reference", reference)), "procedure failed", err)
		i.Error(wamp.ErrRuntime, textPayload("the procedure failed; the router's log says why under reference "+reference))
	case invalid != nil:
		i.Error(wamp.ErrInvalidArgument, textPayload(invalid.Error()))
	case raised != nil:
		i.Error(raised.uri, raised.payload)
	default:
		i.Yield(answer)
	}
}

// wampCall is an application error that is ready to be sent.
type wampCall struct {
	uri     string
	payload wamp.Payload
}

// raisedCall is the application error that a raised value means, be it the
// script's own or the answer to a router.call that it let pass.
func (v *vm) raisedCall(f wamp.Format, err error) (*wampCall, error) {
	var api *lua.ApiError
	if !errors.As(err, &api) {
		return nil, err
	}
	t, ok := api.Object.(*lua.LTable)
	if !ok {
		return nil, err
	}
	e := v.wampError(t)
	if e == nil {
		return nil, err
	}
	p, encodeErr := v.values.AppendPayload(v.budget, f, e.args, e.kwargs)
	if encodeErr != nil {
		return nil, fmt.Errorf("error %s cannot be sent: %w", e.uri, encodeErr)
	}
	return &wampCall{e.uri, p}, nil
}

// answer encodes what a procedure returned.
func (v *vm) answer(f wamp.Format, results []lua.LValue) (wamp.Payload, error) {
	if len(results) == 1 {
		if ud, ok := results[0].(*lua.LUserData); ok {
			if r, ok := ud.Value.(*result); ok {
				return v.values.AppendPayload(v.budget, f, r.args, r.kwargs)
			}
		}
	}
	return v.values.AppendResults(v.budget, f, results)
}

// callDetails are spelled as in WAMP, but for two functions: progress is there
// where the caller takes progressive results, and more where it sends the call in
// parts.
func (v *vm) callDetails(w *work) *lua.LTable {
	d := &w.invocation.Details
	t := v.L.CreateTable(0, 8)
	t.RawSetString("procedure", lua.LString(w.invocation.URI))
	setString(t, "procedure", d.Procedure)
	setID(t, "caller", d.Caller)
	setString(t, "caller_authid", d.CallerAuthid)
	setString(t, "caller_authrole", d.CallerAuthrole)
	setTrustlevel(t, d.Trustlevel)
	if d.Timeout > 0 {
		t.RawSetString("timeout", lua.LNumber(d.Timeout))
	}
	if d.ReceiveProgress {
		t.RawSetString("progress", v.progressFunction(w))
	}
	if w.stream != nil {
		t.RawSetString("more", v.moreFunction(w))
	}
	return t
}

// handleEvent runs the handler of a subscription.
func (v *vm) handleEvent(w *work) {
	e := w.event
	index, ok := v.gen.find(place{true, e.URI, e.Match})
	if !ok {
		return // unsubscribed since
	}
	err := v.do(v.gen.ctx, v.gen.declarations[index].String(), func() error {
		args, kwargs, err := v.values.Payload(v.budget, w.payload)
		if err != nil {
			return fmt.Errorf("an event on %s: %w", e.Topic, err)
		}
		_, err = v.call(v.handlers[index], args, kwargs, v.eventDetails(e.Topic, e.Publication, &e.Details))
		return err
	})
	if err != nil {
		logFailure(v.gen.log, "event handler failed", err)
	}
}

func (v *vm) eventDetails(topic string, publication wamp.ID, d *wamp.EventDetails) *lua.LTable {
	t := v.L.CreateTable(0, 8)
	t.RawSetString("topic", lua.LString(topic))
	setID(t, "publication", publication)
	setID(t, "publisher", d.Publisher)
	setString(t, "publisher_authid", d.PublisherAuthid)
	setString(t, "publisher_authrole", d.PublisherAuthrole)
	setTrustlevel(t, d.Trustlevel)
	setTrue(t, "retained", d.Retained)
	setPassthru(t, d.Passthru)
	return t
}

// setTrue leaves out what is false.
func setTrue(t *lua.LTable, name string, is bool) {
	if is {
		t.RawSetString(name, lua.LTrue)
	}
}

func setTrustlevel(t *lua.LTable, level wamp.Trustlevel) {
	if level.Given {
		t.RawSetString("trustlevel", lua.LNumber(level.Level))
	}
}

// setPassthru says how to read a payload that the router did not look into.
func setPassthru(t *lua.LTable, p *wamp.Passthru) {
	if p == nil {
		return
	}
	setString(t, "ppt_scheme", p.Scheme)
	setString(t, "ppt_serializer", p.Serializer)
	setString(t, "ppt_cipher", p.Cipher)
	setString(t, "ppt_keyid", p.KeyID)
	setString(t, "enc_algo", p.EncAlgo)
	setString(t, "enc_serializer", p.EncSerializer)
	setString(t, "enc_key", p.EncKey)
}

func setID(t *lua.LTable, name string, id wamp.ID) {
	if id != 0 {
		t.RawSetString(name, lua.LNumber(id))
	}
}
