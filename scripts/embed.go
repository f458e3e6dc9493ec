package scripts

import "embed"

// Files are the shipped scripts, read-only, by their file names.
//
//go:embed authenticate.lua backend.lua
var Files embed.FS

// Examples are examples/NAME/usher.yaml and examples/NAME/scripts: each is an
// installation of its own. None of them is a part of Files.
//
//go:embed examples/*/usher.yaml examples/*/scripts
var Examples embed.FS
