package wg

import "golang.org/x/crypto/blake2s"

// block is BLAKE2s's input block, to which HMAC pads its key.
const block = blake2s.BlockSize

// hmac is HMAC-BLAKE2s (RFC 2104). Keys shorter than 32 bytes are the same as keys padded with zeros. It is our own because
// messages are so short that the standard library's two hash objects would cost more than the hashing.
func hmac(key *[keySize]byte, parts ...[]byte) [keySize]byte {
	var inner [block + keySize + 1]byte
	pad(inner[:block], key, 0x36)
	text := inner[:block]
	for _, p := range parts {
		text = append(text, p...)
	}
	digest := blake2s.Sum256(text)

	var outer [block + keySize]byte
	pad(outer[:block], key, 0x5c)
	copy(outer[block:], digest[:])
	return blake2s.Sum256(outer[:])
}

func pad(dst []byte, key *[keySize]byte, with byte) {
	copy(dst, key[:])
	for i := range dst {
		dst[i] ^= with
	}
}

// kdf1, kdf2 and kdf3 are the KDF of §5.4 (HKDF, RFC 5869) with one, two and three outputs.
func kdf1(key *[keySize]byte, input []byte) [keySize]byte {
	secret := hmac(key, input)
	return hmac(&secret, []byte{1})
}

func kdf2(key *[keySize]byte, input []byte) (a, b [keySize]byte) {
	secret := hmac(key, input)
	a = hmac(&secret, []byte{1})
	b = hmac(&secret, a[:], []byte{2})
	return a, b
}

func kdf3(key *[keySize]byte, input []byte) (a, b, c [keySize]byte) {
	secret := hmac(key, input)
	a = hmac(&secret, []byte{1})
	b = hmac(&secret, a[:], []byte{2})
	c = hmac(&secret, b[:], []byte{3})
	return a, b, c
}
