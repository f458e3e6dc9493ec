// Command usher is a WAMP router whose authenticators, procedures and event
// handlers are Lua scripts that reload when they are saved.
//
// This package is the command line, one file a subcommand, and the place where
// the router meets the scripting host. It holds no routing and no scripting of
// its own.
package main
