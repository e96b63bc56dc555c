// Package portmap keeps a port of the default gateway open for this machine: it moves the bytes and does the jobs of core/portmap, and
// speaks UPnP with core/igd. It ships a gateway in memory.
//
// A Mapper has one goroutine that owns the machine, one reader a socket, and at most one job. What arrives while the owner is busy waits
// in a queue of 16 datagrams; more is lost, as on any line. Everything goes to the gateway alone, but for the search for UPnP, which also
// goes to its multicast group on the gateway's link, twice within two seconds, with a TTL of 2. The gateway's announcements to all
// hosts (port 5350) are heard where the system lets us.
package portmap
