package codec

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/vmihailenco/msgpack/v5"

	"usher/router/wamp"
)

// Marshal encodes a Go value with the usual libraries, structs by their json
// tags; for clients and tests, never on the way of a message.
func Marshal(f wamp.Format, v any) ([]byte, error) {
	switch f {
	case wamp.JSON:
		return json.Marshal(v)
	case wamp.MessagePack:
		var b bytes.Buffer
		e := msgpack.NewEncoder(&b)
		e.SetCustomStructTag("json")
		e.SetSortMapKeys(true)
		e.UseCompactInts(true)
		err := e.Encode(v)
		return b.Bytes(), err
	case wamp.CBOR:
		return cbor.Marshal(v)
	}
	return nil, fmt.Errorf("marshal: no format")
}

// Unmarshal decodes into v, a pointer. See Marshal.
func Unmarshal(f wamp.Format, data []byte, v any) error {
	switch f {
	case wamp.JSON:
		return json.Unmarshal(data, v)
	case wamp.MessagePack:
		d := msgpack.NewDecoder(bytes.NewReader(data))
		d.SetCustomStructTag("json")
		return d.Decode(v)
	case wamp.CBOR:
		return cbor.Unmarshal(data, v)
	}
	return fmt.Errorf("unmarshal: no format")
}

// TextPayload is a payload whose only argument is text, as error messages carry it.
func TextPayload(text string) wamp.Payload {
	b := append(make([]byte, 0, len(text)+8), '[')
	return wamp.Payload{Format: wamp.JSON, Args: append(appendJSONString(b, text), ']')}
}
