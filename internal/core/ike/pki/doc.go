// Package pki finds out whether certificates that an IKE peer sent prove an identity, for those who are not of our own mesh: trust in
// authorities that a user has named, names in the certificate, what it is for, and revocation lists. Nothing is fetched, whatever a
// certificate says: lists come from the caller.
//
// A certificate proves an identity if it has it as a subject alternative name of the same kind: a DNS name for ID_FQDN (letter case does
// not matter; wildcards do not count), an address for ID_IPV4_ADDR and ID_IPV6_ADDR, a mailbox for ID_RFC822_ADDR; or, for
// ID_DER_ASN1_DN, as its subject, byte for byte. The common name of the subject is nobody's identity.
package pki
