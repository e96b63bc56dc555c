// Package bare runs the packet engine alone in a laboratory: a tunnel, a TUN device and one peer that its command line names; no daemon and
// no controller. A benchmark is its own node: it starts itself again on each host.
package bare
