// Package tegatamldsa lends the Go project's own ML-DSA, which its standard library of 1.26 keeps
// to itself, to a program outside it. The build overlays it on crypto/tegatamldsa; from the Go
// version that has crypto/mldsa on, that package can take its place.
package tegatamldsa

import (
	"crypto/internal/fips140/mldsa"
	"fmt"
)

// Verify checks a signature with an empty context (RFC 9881, section 3).
func Verify(parameters int, public, message, signature []byte) error {
	var key *mldsa.PublicKey
	var err error
	switch parameters {
	case 44:
		key, err = mldsa.NewPublicKey44(public)
	case 65:
		key, err = mldsa.NewPublicKey65(public)
	case 87:
		key, err = mldsa.NewPublicKey87(public)
	default:
		err = fmt.Errorf("no ML-DSA-%d", parameters)
	}
	if err != nil {
		return err
	}
	return mldsa.Verify(key, message, signature, "")
}

// Sign makes a signature with the key of a seed.
func Sign(parameters int, seed, message []byte) (public, signature []byte, err error) {
	var key *mldsa.PrivateKey
	switch parameters {
	case 44:
		key, err = mldsa.NewPrivateKey44(seed)
	case 65:
		key, err = mldsa.NewPrivateKey65(seed)
	case 87:
		key, err = mldsa.NewPrivateKey87(seed)
	default:
		err = fmt.Errorf("no ML-DSA-%d", parameters)
	}
	if err != nil {
		return nil, nil, err
	}
	signature, err = mldsa.Sign(key, message, "")
	return key.PublicKey().Bytes(), signature, err
}
