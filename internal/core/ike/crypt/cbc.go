package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"errors"
	"hash"
	"io"
)

// cbc protects by AES-CBC (RFC 3602) and then HMAC, of which half is sent (RFC 4868).
type cbc struct {
	block cipher.Block
	mac   hash.Hash
	icv   int
	rnd   io.Reader // for IVs, which nobody may foresee
}

func (m mac) newCBC(encr, auth []byte, rnd io.Reader) (protection, error) {
	block, err := aes.NewCipher(encr)
	if err != nil {
		return nil, err
	}
	return &cbc{block: block, mac: hmac.New(m.hash, auth), icv: m.icv, rnd: rnd}, nil
}

func (c *cbc) sizes() (iv, block, icv int) { return aes.BlockSize, aes.BlockSize, c.icv }

func (c *cbc) seal(b []byte, head int) ([]byte, error) {
	iv, text := b[head:head+aes.BlockSize], b[head+aes.BlockSize:]
	if _, err := io.ReadFull(c.rnd, iv); err != nil {
		return nil, err
	}
	cipher.NewCBCEncrypter(c.block, iv).CryptBlocks(text, text)
	return append(b, c.prove(b)...), nil
}

func (c *cbc) open(associated, body []byte) ([]byte, error) {
	signed, proof := body[:len(body)-c.icv], body[len(body)-c.icv:]
	if !hmac.Equal(c.prove(associated, signed), proof) {
		return nil, errors.New("integrity check failed")
	}
	iv, text := signed[:aes.BlockSize], signed[aes.BlockSize:]
	cipher.NewCBCDecrypter(c.block, iv).CryptBlocks(text, text)
	return text, nil
}

func (c *cbc) prove(parts ...[]byte) []byte {
	c.mac.Reset()
	for _, part := range parts {
		c.mac.Write(part)
	}
	return c.mac.Sum(nil)[:c.icv]
}
