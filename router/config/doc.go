// Package config turns a configuration file into one validated, immutable
// Config: usher.yaml, or a Crossbar.io node file as it is. Every problem has
// file, line, column and path, and all of a file's problems are told at once.
//
// It owns the schema (file.go lists every key) and what can be checked without
// looking at anything but the file. It has no side effects: it opens no socket,
// reads no environment, keeps no state. Only Load reads files; Parse does not.
package config
