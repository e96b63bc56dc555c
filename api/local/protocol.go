package local

// The tunnel protocols.
const (
	WireGuardProtocol = "wireguard"
	IPsecProtocol     = "ipsec"
)

// ProtocolRequest says which tunnel protocol this machine would rather speak in a network, or in all that it is in.
type ProtocolRequest struct {
	Network string `json:"network,omitempty"` // name or id
	// Protocol is wireguard, ipsec, or "" for no preference.
	Protocol string `json:"protocol"`
}
