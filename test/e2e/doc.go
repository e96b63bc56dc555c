// Package e2e tells stories of the built programs: real TUN devices, sockets and crypto, on computers that are network namespaces
// (package lab). Run it with `make e2e`. Where the machine does not allow a laboratory the stories skip and say why.
//
// Every story has a laboratory of its own and may run beside others. Nothing sleeps: a story waits for what it can see, with a
// deadline. When a story ends, every log and everything that a command wrote is searched for the secrets that were in use.
package e2e
