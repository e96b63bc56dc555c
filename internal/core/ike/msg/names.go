package msg

import "fmt"

// Exchange is what a request and its response are about, §3.1.
type Exchange uint8

const (
	IKESAInit        Exchange = 34
	IKEAuth          Exchange = 35
	CreateChildSA    Exchange = 36
	Informational    Exchange = 37
	IKESessionResume Exchange = 38 // RFC 5723
	IKEIntermediate  Exchange = 43 // RFC 9242
	IKEFollowupKE    Exchange = 44 // RFC 9370
)

func (e Exchange) String() string {
	switch e {
	case IKESAInit:
		return "IKE_SA_INIT"
	case IKEAuth:
		return "IKE_AUTH"
	case CreateChildSA:
		return "CREATE_CHILD_SA"
	case Informational:
		return "INFORMATIONAL"
	case IKESessionResume:
		return "IKE_SESSION_RESUME"
	case IKEIntermediate:
		return "IKE_INTERMEDIATE"
	case IKEFollowupKE:
		return "IKE_FOLLOWUP_KE"
	}
	return fmt.Sprintf("exchange %d", uint8(e))
}

func (t PayloadType) String() string {
	switch t {
	case TypeSA:
		return "SA"
	case TypeKE:
		return "KE"
	case TypeIDi:
		return "IDi"
	case TypeIDr:
		return "IDr"
	case TypeCert:
		return "CERT"
	case TypeCertReq:
		return "CERTREQ"
	case TypeAuth:
		return "AUTH"
	case TypeNonce:
		return "Nonce"
	case TypeNotify:
		return "N"
	case TypeDelete:
		return "D"
	case TypeVendor:
		return "V"
	case TypeTSi:
		return "TSi"
	case TypeTSr:
		return "TSr"
	case TypeSK:
		return "SK"
	case TypeCP:
		return "CP"
	case TypeEAP:
		return "EAP"
	case TypeSKF:
		return "SKF"
	}
	return fmt.Sprintf("payload %d", uint8(t))
}

func (p Protocol) String() string {
	switch p {
	case NoProtocol:
		return "no protocol"
	case ProtocolIKE:
		return "IKE"
	case ProtocolAH:
		return "AH"
	case ProtocolESP:
		return "ESP"
	}
	return fmt.Sprintf("protocol %d", uint8(p))
}

func (k IDKind) String() string {
	switch k {
	case IDIPv4:
		return "ID_IPV4_ADDR"
	case IDFQDN:
		return "ID_FQDN"
	case IDEmail:
		return "ID_RFC822_ADDR"
	case IDIPv6:
		return "ID_IPV6_ADDR"
	case IDDN:
		return "ID_DER_ASN1_DN"
	case IDGN:
		return "ID_DER_ASN1_GN"
	case IDKeyID:
		return "ID_KEY_ID"
	case IDNobody:
		return "ID_NULL"
	}
	return fmt.Sprintf("ID type %d", uint8(k))
}

func (m AuthMethod) String() string {
	switch m {
	case AuthRSA:
		return "RSA signature"
	case AuthSharedKey:
		return "shared key"
	case AuthECDSA256:
		return "ECDSA P-256"
	case AuthECDSA384:
		return "ECDSA P-384"
	case AuthECDSA521:
		return "ECDSA P-521"
	case AuthNull:
		return "NULL"
	case AuthSignature:
		return "digital signature"
	}
	return fmt.Sprintf("auth method %d", uint8(m))
}

func (k SelectorKind) String() string {
	switch k {
	case SelectIPv4:
		return "TS_IPV4_ADDR_RANGE"
	case SelectIPv6:
		return "TS_IPV6_ADDR_RANGE"
	}
	return fmt.Sprintf("TS type %d", uint8(k))
}

func (t ConfigType) String() string {
	switch t {
	case ConfigIP4:
		return "INTERNAL_IP4_ADDRESS"
	case ConfigIP4Netmask:
		return "INTERNAL_IP4_NETMASK"
	case ConfigIP4DNS:
		return "INTERNAL_IP4_DNS"
	case ConfigIP4DHCP:
		return "INTERNAL_IP4_DHCP"
	case ConfigVersion:
		return "APPLICATION_VERSION"
	case ConfigIP6:
		return "INTERNAL_IP6_ADDRESS"
	case ConfigIP6DNS:
		return "INTERNAL_IP6_DNS"
	case ConfigIP6DHCP:
		return "INTERNAL_IP6_DHCP"
	case ConfigIP4Subnet:
		return "INTERNAL_IP4_SUBNET"
	case ConfigSupported:
		return "SUPPORTED_ATTRIBUTES"
	case ConfigIP6Subnet:
		return "INTERNAL_IP6_SUBNET"
	case ConfigDNSDomain:
		return "INTERNAL_DNS_DOMAIN"
	case ConfigDNSSECTA:
		return "INTERNAL_DNSSEC_TA"
	}
	return fmt.Sprintf("CP attribute %d", uint16(t))
}
