package scripts

import "embed"

// Files are the shipped scripts, read-only, by their file names.
//
//go:embed authenticate.lua backend.lua
var Files embed.FS
