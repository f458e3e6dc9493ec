// Package scripting is the host of the Lua scripts: it loads the components of
// a scripts directory, joins each of them to its realm as a session inside the
// router, runs their handlers within limits, and replaces them when their files
// change.
//
// The words it uses: a component is one script file and its session. A
// generation is what one state of that file defines: compiled code, and what it
// registered; it never changes. A virtual machine (VM) runs one generation's
// code; each generation has a pool of them. The leader is the VM that ran first
// and said what the generation registers.
//
// It owns the components, their generations, pools and queues, and the watcher
// of the directory. It must not know HTTP, connections or the configuration's
// form, and it decides nothing about logins itself: what a script did not
// clearly say is an error, which package auth turns into a refusal.
package scripting
