package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
)

// Policy is one version of a network's policy document. The one with the highest number is in force.
type Policy struct {
	Network ident.Network
	Number  uint64 // 1, 2, … of this network
	Text    []byte // at most acl.MaxSize; nil in a history
	ETag    string // of network, number and text
	Author  string
	Comment string
	At      time.Time
	Version uint64
}

// CheckPolicy reports why a text cannot be stored as a policy, or nil. What it means is for the caller to have checked.
func CheckPolicy(text []byte) error {
	switch {
	case len(text) == 0:
		return fmt.Errorf("policy: %w: it is empty; a policy that lets nothing pass is {\"acls\": []}", ErrInvalid)
	case len(text) > acl.MaxSize:
		return fmt.Errorf("policy: %w: it has %d bytes, at most %d are allowed", ErrLimit, len(text), acl.MaxSize)
	case !utf8.Valid(text):
		return fmt.Errorf("policy: %w: it is not UTF-8 text", ErrInvalid)
	}
	return nil
}

// PolicyComment is a comment as it is kept.
func PolicyComment(s string) string { return clean.Line(s, MaxComment) }

// PolicyETag names one version of one network's policy by the SHA-256 of its text.
func PolicyETag(network ident.Network, number uint64, sum [32]byte) string {
	b := append([]byte("cvlan policy v1"), 0)
	b = binary.BigEndian.AppendUint64(b, uint64(network))
	b = binary.BigEndian.AppendUint64(b, number)
	h := sha256.Sum256(append(b, sum[:]...))
	return base64.RawURLEncoding.EncodeToString(h[:12])
}

// PolicySize is what one version of a policy takes.
type PolicySize struct {
	Number uint64
	Bytes  int
}

// OldPolicies returns those of a network's policies, given from the newest on, for which there is no room. There is always room for the one in force.
func OldPolicies(all []PolicySize) []PolicySize {
	total := 0
	for i, p := range all {
		if total += p.Bytes; i > 0 && (i >= MaxPolicies || total > MaxPolicyBytes) {
			return all[i:]
		}
	}
	return nil
}

// FirstPolicy is the document that a new network begins with.
func FirstPolicy(open bool) []byte {
	if open {
		return []byte(openPolicy)
	}
	return []byte(closedPolicy)
}

const openPolicy = `// Who may reach whom in this network. What no rule allows does not pass.
{
	"acls": [
		// Everybody in the network may reach everybody. Narrow "src" and "dst", or delete the rule, to change that.
		{"action": "accept", "src": ["*"], "dst": ["*:*"]},
	],
}
`

const closedPolicy = `// Who may reach whom in this network. What no rule allows does not pass.
{
	"acls": [
		// There is no rule yet: nothing may pass. The next line would let everybody reach everybody.
		// {"action": "accept", "src": ["*"], "dst": ["*:*"]},
	],
}
`
