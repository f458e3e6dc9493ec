// Package match finds what is registered, subscribed or permitted for a URI: by
// exact match, by prefix (compared by string, as the specification has it) and
// by wildcard (compared by component).
//
// It owns the data structure and the order in which matches win. It must not
// know what its values mean, judge whether a URI is valid, or lock: its readers
// are the hot path of every call and every event.
package match
