package crypt

import (
	"crypto/mlkem"
	"fmt"
)

// ML-KEM (FIPS 203) for IKE: the offer is an encapsulation key, the answer a ciphertext. An answer that was changed makes another
// secret and no error, as the standard wants it.
type (
	kem768  struct{}
	kem1024 struct{}
)

// kemOffer is a decapsulation key of either size.
type kemOffer struct {
	public      []byte
	decapsulate func(ciphertext []byte) ([]byte, error)
}

func (kem768) Offer() (Offer, error) {
	key, err := mlkem.GenerateKey768()
	if err != nil {
		return nil, fmt.Errorf("make an ML-KEM-768 key: %w", err)
	}
	return kemOffer{key.EncapsulationKey().Bytes(), key.Decapsulate}, nil
}

func (kem768) Answer(offered []byte) (answer, shared []byte, err error) {
	key, err := mlkem.NewEncapsulationKey768(offered)
	if err != nil {
		return nil, nil, fmt.Errorf("key exchange with ML-KEM-768: %w", err)
	}
	shared, answer = key.Encapsulate()
	return answer, shared, nil
}

func (kem1024) Offer() (Offer, error) {
	key, err := mlkem.GenerateKey1024()
	if err != nil {
		return nil, fmt.Errorf("make an ML-KEM-1024 key: %w", err)
	}
	return kemOffer{key.EncapsulationKey().Bytes(), key.Decapsulate}, nil
}

func (kem1024) Answer(offered []byte) (answer, shared []byte, err error) {
	key, err := mlkem.NewEncapsulationKey1024(offered)
	if err != nil {
		return nil, nil, fmt.Errorf("key exchange with ML-KEM-1024: %w", err)
	}
	shared, answer = key.Encapsulate()
	return answer, shared, nil
}

func (o kemOffer) Public() []byte { return o.public }

func (o kemOffer) Finish(answer []byte) ([]byte, error) {
	shared, err := o.decapsulate(answer)
	if err != nil {
		return nil, fmt.Errorf("key exchange with ML-KEM: %w", err)
	}
	return shared, nil
}
