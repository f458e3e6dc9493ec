// Package scripts holds the Lua scripts that usher ships: the authenticator and
// the backend of the demo. A running usher that finds this directory as
// ./scripts uses the files; the binary carries copies for when it does not.
//
// Below examples/ are installations to learn from, each with a configuration and
// tests of its own, which usher init copies and nothing else uses.
//
// It owns the scripts and nothing else: how they run is package scripting's.
package scripts
