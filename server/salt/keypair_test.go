package salt

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
)

func TestFingerprint(t *testing.T) {
	public, want := recordedKey(t)
	for _, form := range []string{public, public + "\n", "\n" + public + "\n\n", strings.ReplaceAll(public, "\n", "\r\n")} {
		if got, err := Fingerprint(form); err != nil || got != want {
			t.Errorf("the fingerprint is %q, error %v, of\n%q", got, err, form)
		}
	}
	for _, form := range []string{"", "x", public + "\n" + public, strings.Replace(public, "MIIB", "MIIA", 1), strings.ReplaceAll(public, "PUBLIC", "PRIVATE")} {
		if got, err := Fingerprint(form); err == nil {
			t.Errorf("%q has fingerprint %s", form, got)
		}
	}
}

// TestGenerateKey compares the forms with those of a minion's own key, as it
// comes in events.
func TestGenerateKey(t *testing.T) {
	pair, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var event struct{ Pub string }
	line := recordedEvents(t)[0].line
	if err := json.Unmarshal([]byte(line[strings.IndexByte(line, '\t'):]), &event); err != nil {
		t.Fatal(err)
	}
	ours, theirs := strings.Split(pair.Public, "\n"), strings.Split(event.Pub, "\n")
	for i, last := range []int{len(ours) - 1, len(theirs) - 1} {
		lines := [][]string{ours, theirs}[i]
		if lines[0] != "-----BEGIN PUBLIC KEY-----" || lines[last] != "-----END PUBLIC KEY-----" || len(lines[1]) != 64 {
			t.Errorf("key %d is of another form:\n%s", i, strings.Join(lines, "\n"))
		}
	}
	if ours[1][:4] != "MIIC" || theirs[1][:4] != "MIIB" { // 4096 bits, and 2048
		t.Errorf("the keys begin with %s and %s", ours[1], theirs[1])
	}
	block, rest := pem.Decode([]byte(pair.Private))
	if block == nil || block.Type != "RSA PRIVATE KEY" || len(rest) > 0 {
		t.Fatal("the private half is not one of PKCS #1")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil || key.Validate() != nil || key.N.BitLen() != 4096 || key.E != 65537 {
		t.Errorf("the key is not one of 4096 bits: %v", err)
	}
	der, _ := pem.Decode([]byte(pair.Public))
	if public, err := x509.ParsePKIXPublicKey(der.Bytes); err != nil || !key.PublicKey.Equal(public) {
		t.Errorf("the halves do not match: %v", err)
	}
}
