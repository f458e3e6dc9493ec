package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"time"
)

// watchInterval is how often the configuration file is looked at. One stat a
// time costs nothing and misses no way of saving, unlike events.
const watchInterval = 500 * time.Millisecond

// watchFile calls saved, from one goroutine, whenever the content of the file has
// become another one than was known and has been at rest for one interval, until
// ctx ends. A file that is missing or cannot be read is waited for. It returns when
// ctx ends.
func watchFile(ctx context.Context, path string, known fileState, interval time.Duration, saved func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	seen, moving := known.stamp, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, ok := readStamp(path)
		switch {
		case !ok:
		case now != seen:
			seen, moving = now, true
		case moving:
			moving = false
			if sum, ok := digest(path); ok && !bytes.Equal(sum, known.sum) {
				known.sum = sum
				saved()
			}
		}
	}
}

// fileState is what a file was at one moment. The zero value is that of a file that
// could not be read.
type fileState struct {
	stamp stamp
	sum   []byte
}

// lookAt returns the state of a file. Where it changes meanwhile, a later stamp is
// another one.
func lookAt(path string) (s fileState) {
	s.stamp, _ = readStamp(path)
	s.sum, _ = digest(path)
	return s
}

// stamp is what changes about a file when it is saved.
type stamp struct {
	size     int64
	modified time.Time
}

func readStamp(path string) (stamp, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, false
	}
	return stamp{info.Size(), info.ModTime()}, true
}

func digest(path string) ([]byte, bool) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	sum := sha256.Sum256(content)
	return sum[:], true
}
