package admin

import (
	"net/http"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// The tenant's certificate authority, and what it has signed.
var (
	GetCA = Op[InTenant, CAOut]{Route{
		ID: "getCA", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/ca", Scope: CertificatesRead, Tag: "Certificates",
		Summary: "Get the certificate authority", Detail: "The root, the tenant's authority, and the one before it while its certificates are trusted."}}
	ListCertificates = Op[ListCertificatesIn, ListCertificatesOut]{Route{
		ID: "listCertificates", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/certificates", Scope: CertificatesRead, Tag: "Certificates",
		Summary: "List certificates", Detail: "Those that have not ended; of devices, or of nodes too."}}
	CreateCertificate = Op[CreateCertificateIn, CreateCertificateOut]{Route{
		ID: "createCertificate", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/certificates", Scope: CertificatesWrite, Tag: "Certificates",
		Summary: "Issue a certificate for a device", Detail: "For a device that runs no agent, such as an IPsec gateway. Of the request only the key counts."}}
	GetCertificate = Op[OneCertificateIn, CertificateOut]{Route{
		ID: "getCertificate", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/certificates/{serial}", Scope: CertificatesRead, Tag: "Certificates",
		Summary: "Get a certificate"}}
	RevokeCertificate = Op[RevokeCertificateIn, CertificateOut]{Route{
		ID: "revokeCertificate", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/certificates/{serial}/revoke", Scope: CertificatesWrite, Tag: "Certificates",
		Summary: "Revoke a certificate", Detail: "It is on the revocation list from now on. A node's is revoked by deleting the node."}}
	ListCRLs = Op[InTenant, ListCRLsOut]{Route{
		ID: "listCRLs", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/ca/crls", Scope: CertificatesRead, Tag: "Certificates",
		Summary: "Get the revocation lists", Detail: "One of each authority, made now (RFC 5280). The same are served without a key at /crl/{tenant}/{authority}.crl, in DER."}}
	RequestCertificate = Op[RequestCertificateIn, RequestCertificateOut]{Route{
		ID: "requestCertificate", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/ca/request", Scope: AuthoritiesWrite, Tag: "Certificates",
		Summary: "Make a certificate request for the authority", Detail: "For a company's own authority to sign. The key never leaves the controller. A request that still waits is given again, unless it is for another subject: then it is forgotten."}}
	InstallChain = Op[InstallChainIn, CAOut]{Route{
		ID: "installChain", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/ca/chain", Scope: AuthoritiesWrite, Tag: "Certificates",
		Summary: "Install what a company's authority has signed", Detail: "The certificate for the request's key and those above it, up to a root. It begins a rotation, or, if it is for the key that signs already, takes effect at once."}}
	BeginRotation = Op[BeginRotationIn, CAOut]{Route{
		ID: "beginRotation", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/ca/rotation", Scope: AuthoritiesWrite, Tag: "Certificates",
		Summary: "Give the authority a new key", Detail: "New certificates are signed with it from now on; those of the old key stay trusted. Join keys stay valid: they name the root."}}
	FinishRotation = Op[FinishRotationIn, CAOut]{Route{
		ID: "finishRotation", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/ca/rotation/finish", Scope: AuthoritiesWrite, Tag: "Certificates",
		Summary: "End the old authority", Detail: "Its key is deleted. It is refused while certificates of it are in force, unless they are to be revoked."}}
)

// DefaultCertificateDays is how long a device's certificate lives, MaxCertificateDays how long it may.
const (
	DefaultCertificateDays = 365
	MaxCertificateDays     = 825
)

// MaxChainText bounds what InstallChain takes, in bytes.
const MaxChainText = 64 << 10

// CA is a tenant's authority and what it descends from.
type CA struct {
	Domain      string      `json:"domain" doc:"Trust domain"`
	Pin         string      `json:"pin" doc:"What join keys know the controller by: SHA-256 of the root's public key (SubjectPublicKeyInfo)"`
	Root        CACert      `json:"root"`
	Authorities []Authority `json:"authorities" doc:"The one that signs first" nullable:"false"`
	Request     *CARequest  `json:"request,omitempty" doc:"What waits for a company's authority to sign it"`
}

// CARequest is a certificate request for a tenant's authority.
type CARequest struct {
	Subject   string    `json:"subject"`
	CSR       string    `json:"csr" doc:"PKCS #10, PEM"`
	Created   time.Time `json:"created,omitzero"`
	CreatedBy string    `json:"created_by,omitempty"`
}

// CACert is an authority's certificate.
type CACert struct {
	Serial      string    `json:"serial"`
	Subject     string    `json:"subject"`
	Fingerprint string    `json:"fingerprint" doc:"SHA-256 of the certificate"`
	Key         string    `json:"key" example:"ECDSA P-256"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	PEM         string    `json:"pem"`
}

// Authority is one of a tenant's.
type Authority struct {
	CACert
	State    string    `json:"state" enum:"signing,trusted,ended" doc:"signing: it signs new certificates; trusted: what it has signed counts; ended: nothing of it does"`
	InForce  int       `json:"in_force" doc:"Its certificates that are in use: those of devices that count, and those of nodes that have no newer one"`
	Nodes    int       `json:"nodes" doc:"Those of nodes among them"`
	LastEnds time.Time `json:"last_ends,omitzero" doc:"When the last of them ends"`
	Replaced time.Time `json:"replaced,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Cross    []CACert  `json:"cross,omitempty" doc:"What a company's authority has signed for the same key, and those above it, a root last"`
	Warning  string    `json:"warning,omitempty" doc:"That its certificate or a company's for it ends soon, from 90 days before on"`
}

// Certificate is one that a tenant's authority has signed.
type Certificate struct {
	Serial    string     `json:"serial"`
	State     string     `json:"state" enum:"valid,expired,revoked"`
	Node      ident.Node `json:"node,omitzero" doc:"Whose; absent: a device's"`
	Name      string     `json:"name,omitempty" doc:"Of the device"`
	DNS       []string   `json:"dns" nullable:"false"`
	IP        []string   `json:"ip" nullable:"false"`
	Email     []string   `json:"email" nullable:"false"`
	Issuer    string     `json:"issuer" doc:"Serial of the authority's certificate"`
	NotBefore time.Time  `json:"not_before"`
	NotAfter  time.Time  `json:"not_after"`
	Revoked   time.Time  `json:"revoked,omitzero"`
	Reason    string     `json:"reason,omitempty" enum:"unspecified,key-compromise,superseded,cessation-of-operation"`
	Created   time.Time  `json:"created"`
	CreatedBy string     `json:"created_by"`
	PEM       string     `json:"pem,omitempty" doc:"Absent for nodes"`
}

// NewCertificate is what a device's certificate is made of.
type NewCertificate struct {
	Name  string   `json:"name" doc:"Label (RFC 1123), for people" minLength:"1" maxLength:"63" example:"gate-1"`
	CSR   string   `json:"csr" doc:"Certificate request (PKCS #10), PEM; only its key counts" minLength:"1" maxLength:"24576"`
	DNS   []string `json:"dns,omitempty" doc:"DNS names, without wildcards" maxItems:"16" maxLength:"253" nullable:"false"`
	IP    []string `json:"ip,omitempty" doc:"Addresses" maxItems:"16" maxLength:"45" nullable:"false"`
	Email []string `json:"email,omitempty" doc:"Mailboxes" maxItems:"16" maxLength:"254" nullable:"false"`
	Days  *int64   `json:"days,omitempty" doc:"How long it lives" minimum:"1" maximum:"825" default:"365"`
}

// CreatedCertificate is a new certificate with what its holder has to install beside it.
type CreatedCertificate struct {
	Certificate
	Chain string `json:"chain" doc:"The authority's certificate, then the root, PEM"`
}

// CRL is a revocation list.
type CRL struct {
	Issuer     string    `json:"issuer" doc:"Serial of the authority's certificate"`
	Number     string    `json:"number"`
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update" doc:"Until when it is in force"`
	Entries    int       `json:"entries"`
	Path       string    `json:"path" doc:"Where everybody gets it, in DER" example:"/crl/t0c9k2v4m8q1xz/0a.crl"`
	PEM        string    `json:"pem"`
}

// The inputs and outputs of the operations on certificates.
type (
	CAOut              struct{ Body CA }
	ListCertificatesIn struct {
		InTenant
		Page
		Nodes bool   `query:"nodes" doc:"Those of nodes too"`
		Node  string `query:"node" doc:"Only those of this node, by identifier, name.network, or name if only one has it" maxLength:"130"`
	}
	ListCertificatesOut struct{ Body List[Certificate] }
	CreateCertificateIn struct {
		InTenant
		Once
		Body NewCertificate
	}
	CreateCertificateOut struct{ Body CreatedCertificate }
	OneCertificateIn     struct {
		InTenant
		Serial string `path:"serial" doc:"Serial number, hexadecimal" maxLength:"64"`
	}
	CertificateOut      struct{ Body Certificate }
	RevokeCertificateIn struct {
		OneCertificateIn
		Body struct {
			Reason string `json:"reason,omitempty" enum:"unspecified,key-compromise,superseded,cessation-of-operation" default:"unspecified"`
		}
	}
	ListCRLsOut struct {
		Body struct {
			Items []CRL `json:"items" nullable:"false"`
		}
	}
	RequestCertificateIn struct {
		InTenant
		Body struct {
			Subject string `json:"subject,omitempty" doc:"Distinguished name; absent: one that names the tenant" maxLength:"400" example:"CN=CloudVLAN,O=Example Ltd,C=GB"`
			SameKey bool   `json:"same_key,omitempty" doc:"For the key that signs already, with its subject: for a certificate in the place of one that ends"`
		}
	}
	RequestCertificateOut struct{ Body CARequest }
	InstallChainIn        struct {
		InTenant
		Body struct {
			Chain string `json:"chain" doc:"Certificates, PEM, in any order" maxLength:"65536"`
		}
	}
	BeginRotationIn struct {
		InTenant
		Own bool `query:"own" doc:"Although the authority has a company's certificate, and the next one will have none"`
	}
	FinishRotationIn struct {
		InTenant
		Body struct {
			Revoke bool `json:"revoke,omitempty" doc:"Revoke what is still in force; nodes among it must join again"`
		}
	}
)
