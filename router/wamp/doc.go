// Package wamp is the vocabulary of the Web Application Messaging Protocol,
// version 2: messages, ids, URIs, error URIs, feature names and the encoded
// payload that a message carries.
//
// It owns values only. It must not encode, decode, compare secrets, keep state
// or import anything but the standard library; every other package builds on it.
package wamp
