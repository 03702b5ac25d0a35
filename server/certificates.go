package server

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"homelab/model"
)

// admits is of, with a certificate's signature checked: that costs something,
// and need be done once.
func (i *identities) admits(c credential) (identity, error) {
	who, err := i.of(c)
	if cert, ok := c.key.(*gossh.Certificate); ok && err == nil {
		if err := verified(cert); err != nil {
			return identity{}, err
		}
	}
	return who, err
}

// verified checks that a certificate was signed by the key that it names.
func verified(cert *gossh.Certificate) error {
	if cert.Signature == nil || cert.Signature.Format == gossh.KeyAlgoRSA { // that is SHA-1
		return errors.New("a certificate whose signature is of a kind that is not trusted any more")
	}
	checker := gossh.CertChecker{SupportedCriticalOptions: criticalOptions}
	// Its principals are ours to look at: the first will do here.
	return checker.CheckCert(cert.ValidPrincipals[0], cert)
}

// criticalOptions are those that are obeyed. A force-command is not: who may do
// what is a matter of roles here.
var criticalOptions = []string{"source-address"}

// certified tells who a certificate is, but for its signature: the first of
// its principals that is a user.
func (x *identityIndex) certified(cert *gossh.Certificate) (identity, error) {
	if cert.CertType != gossh.UserCert || cert.SignatureKey == nil || !x.cas[gossh.FingerprintSHA256(cert.SignatureKey)] {
		return identity{}, errors.New("a certificate of an authority that is not known")
	}
	now := uint64(time.Now().Unix())
	fingerprint := gossh.FingerprintSHA256(cert.Key)
	switch {
	case now < cert.ValidAfter:
		return identity{}, errors.New("a certificate that is not valid yet")
	case cert.ValidBefore != gossh.CertTimeInfinity && now >= cert.ValidBefore:
		return identity{}, errors.New("a certificate that has expired")
	case revoked(x.state.Settings, cert, fingerprint):
		return identity{}, errors.New("a certificate that was revoked")
	}
	for option := range cert.CriticalOptions {
		if !slices.Contains(criticalOptions, option) {
			return identity{}, fmt.Errorf("a certificate with the critical option %q, which is not taken here", firstLineOf(option))
		}
	}
	if _, untouched := cert.Extensions["no-touch-required"]; untouched {
		return identity{}, errors.New("a certificate that lets a security key in untouched, which is not taken here")
	}
	who := identity{kind: isUser, fingerprint: fingerprint, key: "certificate " + firstLineOf(cert.KeyId)}
	at := slices.IndexFunc(cert.ValidPrincipals, func(name string) bool { _, ok := x.state.Users[name]; return ok })
	if at < 0 {
		return identity{}, errors.New("a certificate none of whose principals is a user")
	}
	who.name = cert.ValidPrincipals[at]
	if cert.ValidBefore < uint64(1)<<62 {
		who.expires = time.Unix(int64(cert.ValidBefore), 0)
	}
	if addresses, ok := cert.CriticalOptions["source-address"]; ok {
		who.from = strings.Split(addresses, ",")
		if model.CheckFrom(who.from) != nil {
			return identity{}, errors.New("a certificate whose addresses cannot be read")
		}
	}
	_, terminal := cert.Extensions["permit-pty"]
	who.restrict = !terminal
	return who, nil
}

// revoked tells whether a certificate is among those that settings name.
func revoked(settings model.Settings, cert *gossh.Certificate, fingerprint string) bool {
	names := []string{"serial:" + strconv.FormatUint(cert.Serial, 10), "id:" + cert.KeyId, fingerprint}
	return slices.ContainsFunc(settings.Revoked, func(text string) bool { return slices.Contains(names, text) })
}
