package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// gets tells whether a key gets in.
func (l *testLab) gets(key gossh.Signer) bool {
	c, err := l.tryDial(key)
	if err == nil {
		c.Close()
	}
	return err == nil
}

func TestOptionsOfKeysAreObeyed(t *testing.T) {
	l := startLab(t)
	for _, c := range []struct {
		name string
		set  func(*model.Key)
		in   bool
	}{
		{"none", func(*model.Key) {}, true},
		{"from here", func(k *model.Key) { k.From = []string{"127.0.0.0/8"} }, true},
		{"from elsewhere", func(k *model.Key) { k.From = []string{"192.0.2.0/24"} }, false},
		{"from anywhere but here", func(k *model.Key) { k.From = []string{"0.0.0.0/0", "!127.0.0.1"} }, false},
		{"not expired", func(k *model.Key) { k.Expires = time.Now().Add(time.Hour) }, true},
		{"expired", func(k *model.Key) { k.Expires = time.Now().Add(-time.Second) }, false},
	} {
		key := newKeyPair(t)
		k := newKey(key.PublicKey(), c.name)
		c.set(&k)
		l.commit(model.Add(model.User{Name: strings.ReplaceAll(c.name, " ", "-"), Role: model.RoleViewer, Keys: []model.Key{k}}))
		if l.gets(key) != c.in {
			t.Errorf("%s: it gets in: %v", c.name, !c.in)
		}
	}
}

func TestARestrictedKeyHasNoTerminal(t *testing.T) {
	l := startLab(t)
	key := newKeyPair(t)
	k := newKey(key.PublicKey(), "script")
	k.Restrict = true
	l.commit(model.Add(model.User{Name: "script", Role: model.RoleViewer, Keys: []model.Key{k}}))
	c := l.dial(key)
	if _, _, status := runOn(t, c, "vm list"); status != 0 {
		t.Errorf("a command: status %d", status)
	}
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.RequestPty("xterm", 24, 80, nil); err == nil {
		t.Error("it has a terminal")
	}
}

// What ends somebody's access ends the connection at once, with all the
// sessions that share it.
func TestAccessEndsAtOnce(t *testing.T) {
	change := func(f func(*model.User)) model.Edit {
		return model.Change("vera", 0, func(u *model.User) error { f(u); return nil })
	}
	first := func(f func(*model.Key)) model.Edit {
		return change(func(u *model.User) { u.Keys = append([]model.Key{}, u.Keys...); f(&u.Keys[0]) })
	}
	for name, edit := range map[string]model.Edit{
		"the key is removed":  change(func(u *model.User) { u.Keys = nil }),
		"the user is removed": model.Remove[model.User]("vera"),
		"the key expired":     first(func(k *model.Key) { k.Expires = time.Now().Add(-time.Minute) }),
		"the key expires":     first(func(k *model.Key) { k.Expires = time.Now().Add(300 * time.Millisecond) }),
		"the key's addresses": first(func(k *model.Key) { k.From = []string{"192.0.2.1"} }),
		"it is restricted":    first(func(k *model.Key) { k.Restrict = true }),
	} {
		t.Run(name, func(t *testing.T) {
			l := startLab(t)
			key := l.user("vera", model.RoleViewer)
			c := l.dial(key)
			x := open(t, c, 80, 24)
			eventually(t, "the dashboard is drawn", x.shows("1"))
			two, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			if err := two.Start("watch"); err != nil {
				t.Fatal(err)
			}
			l.commit(edit)
			_ = two.Wait()
			_ = c.Wait() // the connection is gone
			eventually(t, "it is noted", func() bool { return strings.Contains(strings.Join(l.audited(), "\n"), "left vera put out: ") })
		})
	}
}

func TestAnAgentThatIsRevokedOrInvitedAnewIsOut(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	old := l.agent(l.join("box"), wire.Hello{})
	old.expect(wire.KindWelcome)
	key := l.join("box") // another machine takes its place
	old.over()
	agent := l.agent(key, wire.Hello{})
	agent.expect(wire.KindWelcome)
	l.commit(func(s *model.State) error { delete(s.Agents, "box"); return nil })
	agent.over()
}

// authority signs certificates.
type authority struct {
	t      testing.TB
	signer gossh.Signer
}

func (a authority) line() string {
	return strings.TrimSpace(string(gossh.MarshalAuthorizedKey(a.signer.PublicKey())))
}

// certify makes a signer whose public key is a certificate of principals.
func (a authority) certify(key gossh.Signer, change func(*gossh.Certificate), principals ...string) gossh.Signer {
	a.t.Helper()
	cert := &gossh.Certificate{
		Key: key.PublicKey(), Serial: 17, CertType: gossh.UserCert, KeyId: "vera-laptop", ValidPrincipals: principals,
		ValidAfter: uint64(time.Now().Add(-time.Minute).Unix()), ValidBefore: uint64(time.Now().Add(time.Hour).Unix()),
	}
	cert.Extensions = map[string]string{"permit-pty": ""}
	if change != nil {
		change(cert)
	}
	if err := cert.SignCert(rand.Reader, a.signer); err != nil {
		a.t.Fatal(err)
	}
	signer, err := gossh.NewCertSigner(cert, key)
	if err != nil {
		a.t.Fatal(err)
	}
	return signer
}

func TestCertificates(t *testing.T) {
	l := startLab(t)
	l.user("vera", model.RoleViewer)
	ours, other := authority{t, newKeyPair(t)}, authority{t, newKeyPair(t)}
	key := newKeyPair(t)
	if l.gets(ours.certify(key, nil, "vera")) {
		t.Fatal("a certificate of an authority that settings do not name gets in")
	}
	l.commit(func(s *model.State) error { s.Settings.UserCA = []string{ours.line()}; return nil })
	for _, c := range []struct {
		name       string
		by         authority
		change     func(*gossh.Certificate)
		principals string
		in         bool
	}{
		{"of vera", ours, nil, "vera", true},
		{"of others and vera", ours, nil, "root,vera", true},
		{"of a stranger", ours, nil, "mallory", false},
		{"of nobody, which would be everybody", ours, nil, "", false},
		{"of another authority", other, nil, "vera", false},
		{"expired", ours, func(c *gossh.Certificate) { c.ValidBefore = uint64(time.Now().Add(-time.Second).Unix()) }, "vera", false},
		{"not yet valid", ours, func(c *gossh.Certificate) { c.ValidAfter = uint64(time.Now().Add(time.Hour).Unix()) }, "vera", false},
		{"for ever", ours, func(c *gossh.Certificate) { c.ValidBefore = gossh.CertTimeInfinity }, "vera", true},
		{"of a host", ours, func(c *gossh.Certificate) { c.CertType = gossh.HostCert }, "vera", false},
		{"from here", ours, func(c *gossh.Certificate) {
			c.CriticalOptions = map[string]string{"source-address": "10.0.0.0/8,127.0.0.1"}
		}, "vera", true},
		{"from elsewhere", ours, func(c *gossh.Certificate) { c.CriticalOptions = map[string]string{"source-address": "10.0.0.0/8"} }, "vera", false},
		{"with a forced command", ours, func(c *gossh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "vm list"} }, "vera", false},
		{"with what nobody knows", ours, func(c *gossh.Certificate) { c.CriticalOptions = map[string]string{"verify-required": ""} }, "vera", false},
	} {
		var principals []string
		if c.principals != "" {
			principals = strings.Split(c.principals, ",")
		}
		if l.gets(c.by.certify(key, c.change, principals...)) != c.in {
			t.Errorf("%s: it gets in: %v", c.name, !c.in)
		}
	}
	for _, revoked := range []string{"serial:17", "id:vera-laptop", gossh.FingerprintSHA256(key.PublicKey())} {
		c := l.dial(ours.certify(key, nil, "vera"))
		l.commit(func(s *model.State) error { s.Settings.Revoked = []string{"serial:3", revoked}; return nil })
		_ = c.Wait() // it is out at once
		if l.gets(ours.certify(key, nil, "vera")) {
			t.Errorf("%s does not revoke", revoked)
		}
		l.commit(func(s *model.State) error { s.Settings.Revoked = nil; return nil })
	}
	c := l.dial(ours.certify(key, func(c *gossh.Certificate) { c.Extensions = nil }, "vera"))
	if out, errs, status := runOn(t, c, "user add x"); status != 1 || !strings.Contains(errs, "vera has the role viewer") {
		t.Errorf("%d %s%s", status, out, errs)
	}
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 24, 80, nil); err == nil {
		t.Error("a certificate without permit-pty has a terminal")
	}
	l.commit(func(s *model.State) error { s.Settings.UserCA = nil; return nil })
	_ = c.Wait() // the authority is not trusted any more
}

// A certificate that somebody signed with another key than it names.
func TestAForgedCertificateIsRefused(t *testing.T) {
	l := startLab(t)
	l.user("vera", model.RoleViewer)
	ours := authority{t, newKeyPair(t)}
	l.commit(func(s *model.State) error { s.Settings.UserCA = []string{ours.line()}; return nil })
	key := newKeyPair(t)
	forged := authority{t, pretender{newKeyPair(t), ours.signer.PublicKey()}}.certify(key, nil, "vera")
	if l.gets(forged) {
		t.Error("it gets in")
	}
}

// pretender signs with one key and says that it is another.
type pretender struct {
	gossh.Signer
	as gossh.PublicKey
}

func (p pretender) PublicKey() gossh.PublicKey { return p.as }

// securityKey is a FIDO key in software: what it signs says which flags.
type securityKey struct {
	public gossh.PublicKey
	sign   func(digest []byte) ([]byte, error)
	flags  byte
}

const skApplication = "ssh:"

func (k securityKey) PublicKey() gossh.PublicKey { return k.public }

func (k securityKey) Sign(_ io.Reader, data []byte) (*gossh.Signature, error) {
	app, message := sha256.Sum256([]byte(skApplication)), sha256.Sum256(data)
	rest := binary.BigEndian.AppendUint32([]byte{k.flags}, 7) // and a counter
	signed := append(append(app[:], rest...), message[:]...)
	blob, err := k.sign(signed)
	return &gossh.Signature{Format: k.public.Type(), Blob: blob, Rest: rest}, err
}

func parsePublic(t *testing.T, fields any) gossh.PublicKey {
	t.Helper()
	key, err := gossh.ParsePublicKey(gossh.Marshal(fields))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func skEd25519(t *testing.T, flags byte) securityKey {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := parsePublic(t, struct{ Type, Key, Application string }{gossh.KeyAlgoSKED25519, string(public), skApplication})
	return securityKey{key, func(data []byte) ([]byte, error) { return private.Sign(nil, data, crypto.Hash(0)) }, flags}
}

func skECDSA(t *testing.T, flags byte) securityKey {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	key := parsePublic(t, struct{ Type, Curve, Point, Application string }{gossh.KeyAlgoSKECDSA256, "nistp256", string(point), skApplication})
	return securityKey{key, func(data []byte) ([]byte, error) {
		digest := sha256.Sum256(data)
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		return gossh.Marshal(struct{ R, S *big.Int }{r, s}), err
	}, flags}
}

// FIDO keys get in when somebody touched them, and not otherwise.
func TestSecurityKeys(t *testing.T) {
	l := startLab(t)
	for name, make := range map[string]func(*testing.T, byte) securityKey{"ed25519": skEd25519, "ecdsa": skECDSA} {
		key := make(t, 1)
		public, fingerprint, _, err := model.ParseKey(strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key.public))))
		if err != nil {
			t.Fatal(err)
		}
		l.commit(model.Add(model.User{Name: name, Role: model.RoleViewer, Keys: []model.Key{{Name: name, PublicKey: public, Fingerprint: fingerprint}}}))
		if !l.gets(key) {
			t.Errorf("%s: it does not get in", name)
		}
		untouched := key
		untouched.flags = 0
		if l.gets(untouched) {
			t.Errorf("%s: it gets in untouched", name)
		}
		broken := key
		broken.sign = func(data []byte) ([]byte, error) {
			blob, err := key.sign(append(data, 'x'))
			return blob, err
		}
		if l.gets(broken) {
			t.Errorf("%s: it gets in with a signature of something else", name)
		}
	}
	// No certificate lifts that.
	ours := authority{t, newKeyPair(t)}
	l.user("vera", model.RoleViewer)
	l.commit(func(s *model.State) error { s.Settings.UserCA = []string{ours.line()}; return nil })
	lax := func(c *gossh.Certificate) { c.Extensions["no-touch-required"] = "" }
	if l.gets(ours.certify(skEd25519(t, 0), lax, "vera")) {
		t.Error("a certified key gets in untouched")
	}
	if !l.gets(ours.certify(skEd25519(t, 1), nil, "vera")) {
		t.Error("a certified FIDO key does not get in")
	}
}
