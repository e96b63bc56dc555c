package admin

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

// tokenPrefix begins every token, so that scanners of leaked secrets find them.
const tokenPrefix = "cvk_"

// errToken never quotes what it refuses.
var errToken = errors.New("API key: not of the form cvk_<id>_<secret>")

// Token is the bearer token of an API key: cvk_<id>_<secret>, the secret in base64url without padding.
type Token struct {
	ID     ident.APIKey
	Secret key.Secret
}

// Encode returns the whole token, secret included.
func (t Token) Encode() string {
	return tokenPrefix + t.ID.String() + "_" + base64.RawURLEncoding.EncodeToString(t.Secret.Bytes())
}

// String returns the token without its secret.
func (t Token) String() string { return tokenPrefix + t.ID.String() + "_" + key.Redacted }

// ParseToken reads what Encode wrote.
func ParseToken(s string) (Token, error) {
	rest, ok := strings.CutPrefix(s, tokenPrefix)
	id, secret, two := strings.Cut(rest, "_")
	if !ok || !two || len(s) > 128 {
		return Token{}, errToken
	}
	var t Token
	var err error
	if err = t.ID.UnmarshalText([]byte(id)); err != nil {
		return Token{}, errToken
	}
	b, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil {
		return Token{}, errToken
	}
	if t.Secret, err = key.ParseSecret(b); err != nil {
		return Token{}, errToken
	}
	return t, nil
}
