package scripts

import "embed"

// Files are the shipped scripts, read-only, by their file names.
//
//go:embed *.lua
var Files embed.FS
