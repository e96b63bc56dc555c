// Package machine says what the operating system of this machine calls itself.
package machine

// System is what runs here, as the postures of a policy compare it. What is not known is "".
type System struct {
	Version       string // of Linux and FreeBSD the kernel's release, as `uname -r` says it; of macOS the product's; of Windows major.minor.build
	Distro        string // Linux: ID of os-release(5), such as "debian"
	DistroVersion string // Linux: its VERSION_ID, such as "12"; distributions that roll have none
}
