package wg

import (
	"golang.org/x/crypto/blake2s"
	"golang.org/x/crypto/chacha20poly1305"
)

// Labels of the handshake, §5.4. They are hashed, never sent.
const (
	construction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
	identifier   = "WireGuard v1 zx2c4 Jason@zx2c4.com"
)

// transcript is the running state of one handshake, C and H of §5.4: what both sides have mixed in so far.
// It is a value; a copy can be tried against a message that may be forged.
type transcript struct{ chain, hash [keySize]byte }

// begin is the transcript before the first message to the holder of public.
func begin(public []byte) transcript {
	t := transcript{chain: blake2s.Sum256([]byte(construction))}
	t.hash = t.chain
	t.mixHash([]byte(identifier))
	t.mixHash(public)
	return t
}

func (t *transcript) mixHash(data []byte) {
	var text [keySize + 48]byte // the longest thing hashed is an encrypted static key
	t.hash = blake2s.Sum256(append(append(text[:0], t.hash[:]...), data...))
}

func (t *transcript) mixKey(secret []byte) { t.chain = kdf1(&t.chain, secret) }

// mixSecret mixes in a shared secret and returns the key for what is sealed next.
func (t *transcript) mixSecret(secret []byte) (key [keySize]byte) {
	t.chain, key = kdf2(&t.chain, secret)
	return key
}

// mixPreshared mixes in the preshared key, which is zeros where there is none, and returns the key for what is sealed next.
func (t *transcript) mixPreshared(psk *[keySize]byte) (key [keySize]byte) {
	var tau [keySize]byte
	t.chain, tau, key = kdf3(&t.chain, psk[:])
	t.mixHash(tau[:])
	return key
}

// seal writes plaintext, bound to everything so far, over dst, which is tagSize longer.
func (t *transcript) seal(dst []byte, key *[keySize]byte, plaintext []byte) {
	var nonce [chacha20poly1305.NonceSize]byte
	cipher(key).Seal(dst[:0], nonce[:], plaintext, t.hash[:])
	t.mixHash(dst)
}

// open is the inverse of seal; dst is tagSize shorter than sealed. The transcript is of no use after a failure.
func (t *transcript) open(dst []byte, key *[keySize]byte, sealed []byte) bool {
	var nonce [chacha20poly1305.NonceSize]byte
	if _, err := cipher(key).Open(dst[:0], nonce[:], sealed, t.hash[:]); err != nil {
		return false
	}
	t.mixHash(sealed)
	return true
}

// split ends the handshake: the first key is for what the initiator sends, the second for what the responder sends (§5.4.5).
func (t *transcript) split() (initiator, responder [keySize]byte) { return kdf2(&t.chain, nil) }
