// Package router composes the parts of a router: it makes realms, transport and
// listeners of one configuration, serves, takes up another configuration while
// it runs, and stops without losing what was acknowledged.
//
// It owns the order in which the parts start and stop. It must not decide
// anything about messages, and knows nothing of scripts: components are joined to
// its Node by whoever runs them.
package router
