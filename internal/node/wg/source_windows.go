package wg

// sourceGone reports false: on Windows the library lets the system pick the source address of every packet.
func sourceGone(error) bool { return false }
