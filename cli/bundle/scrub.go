package bundle

import "regexp"

// removed stands where a secret was.
const removed = "[removed]"

// secrets are the shapes of what must not leave a machine: keys that admit or authorize, PEM blocks, and what stands after a
// word that announces a secret.
var secrets = []struct {
	shape *regexp.Regexp
	to    string
}{
	{regexp.MustCompile(`cvlan-[a-z]+-\d+-[\w-]+`), removed},
	{regexp.MustCompile(`cvk_\w+`), removed},
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|$)`), removed},
	{regexp.MustCompile(`(?i)\b(authorization|bearer|password|passphrase|secret|psk|private[_-]?key|token)("?\s*[:=]\s*"?|\s+)([\w+/=.~-]{8,})`), "$1$2" + removed},
}

// key is how 32 bytes look in base64: a WireGuard key, public, private or preshared; and in hexadecimal.
var key = regexp.MustCompile(`[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=|\b[0-9a-fA-F]{64}\b`)

// Scrub takes out of a text what has the shape of a secret. Of keys it leaves those that are known to be public.
func Scrub(text []byte, public map[string]bool) []byte {
	for _, s := range secrets {
		text = s.shape.ReplaceAll(text, []byte(s.to))
	}
	return key.ReplaceAllFunc(text, func(k []byte) []byte {
		if public[string(k)] {
			return k
		}
		return []byte(removed)
	})
}
