package local

import (
	"context"
	"net/http"
	"time"
)

// The operations on this machine's certificates.
var (
	GetCertificates = Op[None, Certificates]{Route{http.MethodGet, "/v1/cert", Read, false, "Show this machine's certificates"}}
	// PostRenew waits for the controller's answer, 30 seconds at most.
	PostRenew = Op[RenewRequest, Renewed]{Route{http.MethodPost, "/v1/cert/renew", Operate, false, "Ask for a new certificate now"}}
)

// Certificates answers GetCertificates: one for each membership that can be used.
type Certificates struct {
	Schema       int           `json:"schema"`
	Certificates []Certificate `json:"certificates"`
}

// Certificate is this machine's in one network.
type Certificate struct {
	Network     string    `json:"network"`
	ID          string    `json:"id"` // of the network
	Subject     string    `json:"subject"`
	Names       []string  `json:"names"` // subject alternative names
	Serial      string    `json:"serial"`
	Fingerprint string    `json:"fingerprint"` // SHA-256
	Key         string    `json:"key"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	RenewsFrom  time.Time `json:"renews_from"` // from then on, while the controller answers
	Issuer      Issuer    `json:"issuer"`
	Root        Issuer    `json:"root"`
	PEM         string    `json:"pem"` // with its issuer's
	// Cross are the certificates by which those who know only a company's root believe this one: a company's for the issuer's key, those above it, its root
	// last. Absent: no company has certified the issuer.
	Cross    []Issuer `json:"cross,omitempty"`
	CrossPEM string   `json:"cross_pem,omitempty"`
}

// Issuer is an authority above it.
type Issuer struct {
	Subject     string    `json:"subject"`
	Serial      string    `json:"serial"`
	Fingerprint string    `json:"fingerprint"`
	NotAfter    time.Time `json:"not_after"`
}

// RenewRequest names the network; empty: the only one.
type RenewRequest struct {
	Network string `json:"network,omitempty"`
}

// Renewed answers it.
type Renewed struct {
	Schema int         `json:"schema"`
	Old    Certificate `json:"old"`
	New    Certificate `json:"new"`
}

// Certificates returns this machine's certificates.
func (c *Client) Certificates(ctx context.Context) (Certificates, error) {
	return call(ctx, c, GetCertificates, None{})
}

// RenewCertificate has a new certificate asked for, and waits for it.
func (c *Client) RenewCertificate(ctx context.Context, r RenewRequest) (Renewed, error) {
	return call(ctx, c, PostRenew, r)
}
