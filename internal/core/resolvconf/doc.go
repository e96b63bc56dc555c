// Package resolvconf reads resolv.conf and says how it is to read with a name server and search domains of ours in it, and without them again.
//
// # Lines of ours
//
// What we add stands between marks, in two places, because readers take the first name server and the last search line:
//
//	# cvlan begin: names of CVLAN networks; taken out again when it stops, or by: sudo cvland --cleanup
//	nameserver 127.0.67.53
//	# cvlan end
//	nameserver 192.0.2.1
//	search example.com
//	# cvlan begin
//	search example.com office.acme.cvlan.internal
//	# cvlan end
//
// Everything that was there stays where it was, byte for byte. So the file itself says how to undo it, whatever others have changed in it meanwhile, and
// where ours does not answer, because its process was killed, readers go on to the servers that were there before.
package resolvconf
