// Verifies certification paths, CRLs and OCSP answers that are signed with ML-DSA (RFC 9881),
// with Go's own X.509 parser and Go's own ML-DSA. It shares nothing with what made them.
//
//	path ROOT.der ISSUING.der LEAF.der   each is signed by the one before it, the first by itself
//	crl CRL.der ISSUER.der               the issuer's CRL; prints the serials that it lists
//	ocsp ANSWER.der ISSUER.der           by the issuer's delegated responder; prints the status
//	sign 44|65|87 SEED MESSAGE           prints the public key and a signature, all in hex
package main

import (
	"bytes"
	"crypto/mldsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"
)

var parametersOf = map[string]mldsa.Parameters{
	"2.16.840.1.101.3.4.3.17": mldsa.MLDSA44(),
	"2.16.840.1.101.3.4.3.18": mldsa.MLDSA65(),
	"2.16.840.1.101.3.4.3.19": mldsa.MLDSA87(),
}

var parametersCalled = map[string]mldsa.Parameters{
	"44": mldsa.MLDSA44(), "65": mldsa.MLDSA65(), "87": mldsa.MLDSA87(),
}

type publicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// A Certificate, a CertificateList, or a BasicOCSPResponse up to its certificates.
type signedOctets struct {
	Content   asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
	Rest      asn1.RawValue `asn1:"optional,explicit,tag:0"`
}

func parameters(algorithm pkix.AlgorithmIdentifier) (mldsa.Parameters, error) {
	found, ok := parametersOf[algorithm.Algorithm.String()]
	if !ok {
		return found, fmt.Errorf("%v is not ML-DSA", algorithm.Algorithm)
	}
	if len(algorithm.Parameters.FullBytes) != 0 {
		return found, errors.New("ML-DSA takes no parameters")
	}
	return found, nil
}

func unmarshal(octets []byte, into any) error {
	rest, err := asn1.Unmarshal(octets, into)
	if err == nil && len(rest) != 0 {
		err = errors.New("trailing octets")
	}
	return err
}

// verify checks what has the shape of a Certificate; inner is its signed algorithm, if it has one.
func verify(octets []byte, key []byte, inner *pkix.AlgorithmIdentifier) error {
	var signed signedOctets
	if err := unmarshal(octets, &signed); err != nil {
		return err
	}
	var info publicKeyInfo
	if err := unmarshal(key, &info); err != nil {
		return err
	}
	set, err := parameters(signed.Algorithm)
	if err != nil {
		return err
	}
	own, err := parameters(info.Algorithm)
	if err != nil {
		return err
	}
	if own != set || (inner != nil && !inner.Algorithm.Equal(signed.Algorithm.Algorithm)) {
		return errors.New("the signature is not of the key's algorithm")
	}
	// An empty context (RFC 9881 section 3).
	public, err := mldsa.NewPublicKey(set, info.Key.Bytes)
	if err != nil {
		return err
	}
	return mldsa.Verify(public, signed.Content.FullBytes, signed.Signature.Bytes, nil)
}

// innerOf reads the algorithm inside a TBSCertificate or TBSCertList: its first SEQUENCE.
func innerOf(octets []byte) (*pkix.AlgorithmIdentifier, error) {
	var signed signedOctets
	if err := unmarshal(octets, &signed); err != nil {
		return nil, err
	}
	for rest := signed.Content.Bytes; len(rest) > 0; {
		var field asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &field); err != nil {
			return nil, err
		}
		if field.Class == asn1.ClassUniversal && field.Tag == asn1.TagSequence {
			var inner pkix.AlgorithmIdentifier
			return &inner, unmarshal(field.FullBytes, &inner)
		}
	}
	return nil, errors.New("no algorithm inside")
}

func issued(certificate, issuer *x509.Certificate) error {
	inner, err := innerOf(certificate.Raw)
	if err != nil {
		return err
	}
	if err := verify(certificate.Raw, issuer.RawSubjectPublicKeyInfo, inner); err != nil {
		return err
	}
	now := time.Now()
	switch {
	case !bytes.Equal(certificate.RawIssuer, issuer.RawSubject):
		return errors.New("another issuer's name")
	case !bytes.Equal(certificate.AuthorityKeyId, issuer.SubjectKeyId):
		return errors.New("another issuer's key identifier")
	case !issuer.IsCA || issuer.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("the issuer is no CA")
	case now.Before(certificate.NotBefore) || now.After(certificate.NotAfter):
		return errors.New("not valid now")
	}
	return nil
}

func path(certificates []*x509.Certificate) error {
	above := certificates[0]
	for _, certificate := range certificates {
		if err := issued(certificate, above); err != nil {
			return fmt.Errorf("%v: %w", certificate.Subject, err)
		}
		above = certificate
	}
	fmt.Println("path OK,", certificates[len(certificates)-1].PublicKeyAlgorithm)
	return nil
}

func crl(octets []byte, issuer *x509.Certificate) error {
	inner, err := innerOf(octets)
	if err != nil {
		return err
	}
	if err := verify(octets, issuer.RawSubjectPublicKeyInfo, inner); err != nil {
		return err
	}
	list, err := x509.ParseRevocationList(octets)
	if err != nil {
		return err
	}
	if !bytes.Equal(list.RawIssuer, issuer.RawSubject) || time.Now().After(list.NextUpdate) {
		return errors.New("another issuer's CRL, or an old one")
	}
	fmt.Println("CRL OK, number", list.Number)
	for _, entry := range list.RevokedCertificateEntries {
		fmt.Println("revoked", entry.SerialNumber)
	}
	return nil
}

type ocspResponse struct {
	Status asn1.Enumerated
	Body   struct {
		Type asn1.ObjectIdentifier
		DER  []byte
	} `asn1:"explicit,tag:0"`
}

type responseData struct {
	ResponderKeyHash []byte    `asn1:"explicit,tag:2"`
	ProducedAt       time.Time `asn1:"generalized"`
	Responses        []struct {
		CertID     asn1.RawValue
		Status     asn1.RawValue
		ThisUpdate time.Time `asn1:"generalized"`
		NextUpdate time.Time `asn1:"generalized,explicit,tag:0,optional"`
	}
	Extensions asn1.RawValue `asn1:"optional,explicit,tag:1"`
}

func ocsp(octets []byte, issuer *x509.Certificate) error {
	var response ocspResponse
	if err := unmarshal(octets, &response); err != nil {
		return err
	}
	var basic signedOctets
	if err := unmarshal(response.Body.DER, &basic); err != nil {
		return err
	}
	var responders asn1.RawValue
	if err := unmarshal(basic.Rest.FullBytes, &responders); err != nil {
		return err
	}
	var chain []asn1.RawValue
	if err := unmarshal(responders.Bytes, &chain); err != nil {
		return err
	}
	responder, err := x509.ParseCertificate(chain[0].FullBytes)
	if err != nil {
		return err
	}
	if err := issued(responder, issuer); err != nil {
		return fmt.Errorf("the responder: %w", err)
	}
	if len(responder.ExtKeyUsage) != 1 || responder.ExtKeyUsage[0] != x509.ExtKeyUsageOCSPSigning {
		return errors.New("the responder may not sign answers")
	}
	if err := verify(response.Body.DER, responder.RawSubjectPublicKeyInfo, nil); err != nil {
		return err
	}
	var data responseData
	if err := unmarshal(basic.Content.FullBytes, &data); err != nil {
		return err
	}
	var info publicKeyInfo
	if err := unmarshal(responder.RawSubjectPublicKeyInfo, &info); err != nil {
		return err
	}
	if hash := sha1.Sum(info.Key.Bytes); !bytes.Equal(hash[:], data.ResponderKeyHash) {
		return errors.New("another responder's answer")
	}
	names := []string{"good", "revoked", "unknown"}
	for _, each := range data.Responses {
		fmt.Println("OCSP OK,", names[each.Status.Tag])
	}
	return nil
}

func run(arguments []string) error {
	if arguments[0] == "sign" {
		seed, _ := hex.DecodeString(arguments[2])
		message, _ := hex.DecodeString(arguments[3])
		key, err := mldsa.NewPrivateKey(parametersCalled[arguments[1]], seed)
		if err != nil {
			return err
		}
		signature, err := key.Sign(nil, message, nil)
		fmt.Printf("%x %x\n", key.PublicKey().Bytes(), signature)
		return err
	}
	var files [][]byte
	var certificates []*x509.Certificate
	for _, name := range arguments[1:] {
		octets, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files = append(files, octets)
		certificate, err := x509.ParseCertificate(octets)
		if err != nil && arguments[0] == "path" {
			return err
		}
		certificates = append(certificates, certificate)
	}
	switch arguments[0] {
	case "path":
		return path(certificates)
	case "crl":
		return crl(files[0], certificates[1])
	case "ocsp":
		return ocsp(files[0], certificates[1])
	}
	return errors.New("path, crl, ocsp or sign")
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}
