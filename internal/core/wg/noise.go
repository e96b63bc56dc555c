package wg

import (
	stdcipher "crypto/cipher"
	"crypto/ecdh"
	"io"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// identity is our side of every handshake: the static key, and the transcript of messages that are addressed to it.
type identity struct {
	private *ecdh.PrivateKey
	public  key.WGPublic
	start   transcript
}

func newIdentity(private key.WGPrivate) (identity, error) {
	k, err := ecdh.X25519().NewPrivateKey(private.Bytes())
	if err != nil {
		return identity{}, err
	}
	public := key.WGPublic(k.PublicKey().Bytes())
	return identity{private: k, public: public, start: begin(public[:])}, nil
}

// initiate fills msg (§5.4.2) but for its MACs, and returns what is needed to read the response.
// static is the secret that the two static keys share. It fails only if remote is no useful point.
func (id *identity) initiate(msg initiation, remote key.WGPublic, static *[keySize]byte, sender uint32, at Timestamp, rnd io.Reader) (*attempt, bool) {
	ephemeral := newEphemeral(rnd)
	a := &attempt{transcript: begin(remote[:]), ephemeral: ephemeral, index: sender}
	msg.begin(sender)
	copy(msg.ephemeral(), ephemeral.PublicKey().Bytes())
	a.mixHash(msg.ephemeral())
	a.mixKey(msg.ephemeral())

	shared, ok := agree(ephemeral, remote[:])
	if !ok {
		return nil, false
	}
	k := a.mixSecret(shared[:])
	a.seal(msg.static(), &k, id.public[:])
	k = a.mixSecret(static[:])
	a.seal(msg.timestamp(), &k, at[:])
	return a, true
}

// attempt is an initiation of ours that waits for its response.
type attempt struct {
	transcript
	ephemeral *ecdh.PrivateKey
	index     uint32

	sent     [initiationSize]byte // as it was, if it may be repeated
	repeatAt mono.Time            // when it is sent once more; Never: it is not
}

// finish reads the response (§5.4.3), which is made with one of the preshared keys, and returns the two keys. Its cost is two
// multiplications, and little for each preshared key. A forged response leaves the attempt as it was.
func (a *attempt) finish(id *identity, msg response, psks ...key.Preshared) (send, receive [keySize]byte, ok bool) {
	t := a.transcript
	t.mixHash(msg.ephemeral())
	t.mixKey(msg.ephemeral())
	for _, mine := range [...]*ecdh.PrivateKey{a.ephemeral, id.private} {
		shared, ok := agree(mine, msg.ephemeral())
		if !ok {
			return send, receive, false
		}
		t.mixKey(shared[:])
	}
	for _, psk := range psks {
		u, raw := t, psk.Raw()
		k := u.mixPreshared(&raw)
		if u.open(nil, &k, msg.empty()) {
			send, receive = u.split()
			return send, receive, true
		}
	}
	return send, receive, false
}

// visit is an initiation of somebody else's, while it is being read and answered.
type visit struct {
	transcript
	static    key.WGPublic // who it says it is: proved only by prove
	ephemeral []byte       // aliases the message
	index     uint32
}

// greet reads who an initiation claims to come from. It costs one multiplication on the curve.
func (id *identity) greet(msg initiation) (visit, bool) {
	v := visit{transcript: id.start, ephemeral: msg.ephemeral(), index: msg.sender()}
	v.mixHash(v.ephemeral)
	v.mixKey(v.ephemeral)
	shared, ok := agree(id.private, v.ephemeral)
	if !ok {
		return v, false
	}
	k := v.mixSecret(shared[:])
	return v, v.open(v.static[:], &k, msg.static())
}

// prove reads the timestamp, which only the holder of the claimed static key can have sealed.
func (v *visit) prove(msg initiation, static *[keySize]byte) (at Timestamp, ok bool) {
	k := v.mixSecret(static[:])
	return at, v.open(at[:], &k, msg.timestamp())
}

// answer fills msg (§5.4.3) but for its MACs, and returns the two keys. It costs three multiplications.
func (v *visit) answer(msg response, sender uint32, psk key.Preshared, rnd io.Reader) (send, receive [keySize]byte, ok bool) {
	ephemeral := newEphemeral(rnd)
	msg.begin(sender, v.index)
	copy(msg.ephemeral(), ephemeral.PublicKey().Bytes())
	v.mixHash(msg.ephemeral())
	v.mixKey(msg.ephemeral())
	for _, theirs := range [...][]byte{v.ephemeral, v.static[:]} {
		shared, ok := agree(ephemeral, theirs)
		if !ok {
			return send, receive, false
		}
		v.mixKey(shared[:])
	}
	raw := psk.Raw()
	k := v.mixPreshared(&raw)
	v.seal(msg.empty(), &k, nil)
	receive, send = v.split()
	return send, receive, true
}

// agree is X25519 (RFC 7748). It refuses points of small order, for which the secret would be zero and known to everybody.
func agree(mine *ecdh.PrivateKey, theirs []byte) (shared [keySize]byte, ok bool) {
	public, err := ecdh.X25519().NewPublicKey(theirs)
	if err != nil {
		return shared, false
	}
	secret, err := mine.ECDH(public)
	if err != nil {
		return shared, false
	}
	return [keySize]byte(secret), true
}

// newEphemeral takes the scalar from rnd, not from the standard library's source, so that a machine can be replayed.
func newEphemeral(rnd io.Reader) *ecdh.PrivateKey {
	var scalar [keySize]byte
	fill(rnd, scalar[:])
	k, err := ecdh.X25519().NewPrivateKey(scalar[:])
	if err != nil {
		panic("wg: X25519 refuses 32 bytes: " + err.Error())
	}
	return k
}

// fill reads random bytes. Like crypto/rand it does not survive a source that fails: a predictable key is worse than no program.
func fill(rnd io.Reader, b []byte) {
	if _, err := io.ReadFull(rnd, b); err != nil {
		panic("wg: random source failed: " + err.Error())
	}
}

func cipher(k *[keySize]byte) stdcipher.AEAD {
	aead, err := chacha20poly1305.New(k[:])
	if err != nil {
		panic("wg: ChaCha20-Poly1305 refuses 32 bytes: " + err.Error())
	}
	return aead
}
