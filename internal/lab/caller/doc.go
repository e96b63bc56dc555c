// Package caller is a relay's client for tests and benchmarks, written from the specification (proto/relay) and nothing else: it registers over TLS or QUIC,
// binds over UDP, opens channels and makes frames. It does one thing after another and waits for each answer.
package caller
