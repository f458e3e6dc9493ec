// Package scripts holds the Lua scripts that usher ships: the authenticator and
// the backend of the demo. A running usher that finds this directory as
// ./scripts uses the files; the binary carries copies for when it does not.
//
// It owns the scripts and nothing else: how they run is package scripting's.
package scripts
