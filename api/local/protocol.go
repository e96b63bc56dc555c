package local

// The tunnel protocols.
const (
	WireGuardProtocol = "wireguard"
	IPsecProtocol     = "ipsec"
)
