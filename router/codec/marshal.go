package codec

import (
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"usher/router/wamp"
)

// Marshal encodes a Go value, structs by their json tags; the same value always
// as the same bytes. It is for clients and tests, never on the way of a message.
// All formats go through CBOR and its library, so that they agree on types:
// []byte is binary data, in JSON too; a time.Time is a string as in RFC 3339; what
// implements json.Marshaler only is encoded by its fields.
func Marshal(f wamp.Format, v any) ([]byte, error) {
	mode, err := cbor.EncOptions{Sort: cbor.SortBytewiseLexical, Time: cbor.TimeRFC3339Nano}.EncMode()
	if err != nil {
		return nil, fmt.Errorf("marshal: %w", err)
	}
	b, err := mode.Marshal(v)
	if err == nil && f != wamp.CBOR {
		b, err = transcode(nil, f, wamp.CBOR, b)
	}
	if err != nil {
		return nil, fmt.Errorf("marshal a %T as %s: %w", v, f, err)
	}
	return b, nil
}

// Unmarshal decodes into v, a pointer. Into an any, every format gives int64
// (big.Int beyond it), float64, string, []byte, []any and map[string]any. See
// Marshal.
func Unmarshal(f wamp.Format, data []byte, v any) error {
	if f != wamp.CBOR {
		b, err := transcode(nil, wamp.CBOR, f, data)
		if err != nil {
			return fmt.Errorf("unmarshal %s: %w", f, err)
		}
		data = b
	}
	options := cbor.DecOptions{
		DefaultMapType:   reflect.TypeFor[map[string]any](),
		IntDec:           cbor.IntDecConvertSignedOrBigInt,
		MaxNestedLevels:  2 * MaxDepth,
		MaxArrayElements: math.MaxInt32,
		MaxMapPairs:      math.MaxInt32,
	}
	mode, err := options.DecMode()
	if err == nil {
		err = mode.Unmarshal(data, v)
	}
	if err != nil {
		return fmt.Errorf("unmarshal %s: %w", f, err)
	}
	return nil
}

// TextPayload is a payload whose only argument is text, as error messages carry it.
func TextPayload(text string) wamp.Payload {
	b := append(make([]byte, 0, len(text)+8), '[')
	b = appendQuoted(b, strings.ToValidUTF8(text, "\uFFFD"))
	return wamp.Payload{Format: wamp.JSON, Args: append(b, ']')}
}
