// Package trust decides whom a certificate speaks for: the checks that node, controller and relay share.
//
// Every certificate descends from one root, which a node knows by a pin from its join key. Descent alone proves nothing: a node's
// certificate descends from the same root as the controller's. So each check demands a role, which the certificate's one URI names
// (SPIFFE form), and the place in the hierarchy that belongs to that role:
//
//	root                                        no URI; its common name is the trust domain
//	├── spiffe://<domain>/controller/<id>       issued by the root directly
//	├── spiffe://<domain>/relay/<id>            issued by the root directly
//	└── spiffe://<domain>/tenant/<id>           the tenant's intermediate authority
//	    └── spiffe://<domain>/tenant/<id>/node/<id>   issued by that intermediate directly
//
// Names of hosts are ignored everywhere: a controller is itself under whatever address it is reached, and no public authority
// has a say. That is why callers set tls.Config.InsecureSkipVerify and call a function of this package from VerifyConnection, which,
// unlike VerifyPeerCertificate, also runs when a TLS session is resumed.
//
// All keys are P-256, because FIPS 186-5, TPMs and every IPsec peer accept it.
package trust
