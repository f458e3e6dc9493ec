package cookies

import (
	"errors"
	"log/slog"
	"sync"
)

// Spec says which store is meant: the one in a file, or that in memory of the
// cookies of a name. Whoever names the same one shares it.
type Spec struct {
	Name  string // of the cookie
	File  string // empty: in memory
	Purge bool   // what the file has when it is opened is not read
}

func (s Spec) key() Spec {
	if s.File != "" {
		return Spec{File: s.File}
	}
	return Spec{Name: s.Name}
}

// Set is the stores of one router. Its methods may be called concurrently.
type Set struct {
	log *slog.Logger

	mu     sync.Mutex
	stores map[Spec]*Store
}

// NewSet returns a Set without stores.
func NewSet(log *slog.Logger) *Set { return &Set{log: log, stores: map[Spec]*Store{}} }

// Store returns the store of a Spec that was opened, or nil.
func (s *Set) Store(spec Spec) *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stores[spec.key()]
}

// Open opens the stores that are not open. On an error nothing has changed.
func (s *Set) Open(specs []Spec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	opened := map[Spec]*Store{}
	for _, spec := range specs {
		key := spec.key()
		if s.stores[key] != nil || opened[key] != nil {
			continue
		}
		if spec.File == "" {
			opened[key] = NewStore(Limits{}, nil)
			continue
		}
		store, err := OpenStore(spec.File, spec.Purge, Limits{}, nil, s.log)
		if err != nil {
			for _, o := range opened {
				err = errors.Join(err, o.Close())
			}
			return err
		}
		opened[key] = store
	}
	for key, store := range opened {
		s.stores[key] = store
	}
	return nil
}

// Keep closes the stores that specs do not name.
func (s *Set) Keep(specs []Spec) error {
	kept := map[Spec]bool{}
	for _, spec := range specs {
		kept[spec.key()] = true
	}
	s.mu.Lock()
	var closing []*Store
	for key, store := range s.stores {
		if !kept[key] {
			closing = append(closing, store)
			delete(s.stores, key)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, store := range closing {
		errs = append(errs, store.Close())
	}
	return errors.Join(errs...)
}

// ForgetAuthid forgets all logins of an authid in a realm, and returns how many
// there were.
func (s *Set) ForgetAuthid(realm, authid string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, store := range s.stores {
		n += store.ForgetAuthid(realm, authid)
	}
	return n
}
