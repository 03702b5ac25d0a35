package terraform

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"homelab/model"
)

// testKey is one key pair, as large as minions have them.
var testKey = sync.OnceValue(func() MinionKey {
	key, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		panic(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return MinionKey{
		Private: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		Public:  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	}
})

func withKeys(s *model.State) Input {
	in := Input{State: s, Hypervisor: "thinkpad", Keys: map[string]MinionKey{}}
	for _, vm := range s.VMs {
		in.Keys[vm.ID] = testKey()
	}
	return in
}

func renderKeys(t testing.TB, in Input) *Config {
	t.Helper()
	c, err := NewRenderer().Render(in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestMinionKey finds in the seed what cloud-init hands to the minion.
func TestMinionKey(t *testing.T) {
	s := addVMs(newLab(model.PlatformLibvirt), newVM(1))
	m := s.SaltMasters["pi"]
	m.Repository, m.RepositoryKey = "deb [signed-by=$KEY_FILE] https://salt.invalid/deb stable main", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n"
	s.SaltMasters["pi"] = m
	c := renderKeys(t, withKeys(s))
	seed, ok := c.Manifest.SeedOf(c.Manifest.VMs[0])
	if !ok {
		t.Fatal("no seed")
	}
	var data struct {
		Apt struct {
			Sources map[string]struct{ Source, Key string }
		}
		Salt struct {
			PKI     string `yaml:"pki_dir"`
			Public  string `yaml:"public_key"`
			Private string `yaml:"private_key"`
			Conf    struct{ Master, ID string }
			Grains  struct{ Role, Hypervisor string }
		} `yaml:"salt_minion"`
		Run [][]string `yaml:"runcmd"`
	}
	if err := yaml.Unmarshal([]byte(seed.UserData), &data); err != nil {
		t.Fatalf("%v in\n%s", err, seed.UserData)
	}
	key := testKey()
	if data.Salt.Private != key.Private || data.Salt.Public != key.Public || data.Salt.PKI != "/etc/salt/pki/minion" {
		t.Errorf("the minion's key is not what it was:\n%s", seed.UserData)
	}
	if data.Salt.Conf.ID != "vm-0001-on-thinkpad" || data.Salt.Conf.Master != "192.168.1.239" || data.Salt.Grains.Role != "web" || data.Salt.Grains.Hypervisor != "thinkpad" {
		t.Errorf("minion: %+v", data.Salt)
	}
	if got := data.Apt.Sources["salt.list"]; got.Source != m.Repository || got.Key != m.RepositoryKey {
		t.Errorf("repository: %+v", got)
	}
	if len(data.Run) != 1 || strings.Join(data.Run[0], " ") != "chmod 0400 /etc/salt/pki/minion/minion.pem" {
		t.Errorf("runcmd: %v", data.Run)
	}
}

// TestMinionKeyIsStable renders the same config for the same keys, and another
// for another.
func TestMinionKeyIsStable(t *testing.T) {
	s := addVMs(newLab(model.PlatformLibvirt), newVM(1), newVM(2))
	in := withKeys(s)
	one, two := renderKeys(t, in), renderKeys(t, in)
	if one.Digest != two.Digest {
		t.Error("the same keys made another config")
	}
	r := NewRenderer()
	before, err := r.Render(in)
	if err != nil {
		t.Fatal(err)
	}
	in.Keys = map[string]MinionKey{newVM(1).ID: testKey(), newVM(2).ID: {Private: "x", Public: "y"}}
	after, err := r.Render(in)
	if err != nil {
		t.Fatal(err)
	}
	if before.Digest == after.Digest || before.Manifest.VMs[0].SeedISO != after.Manifest.VMs[0].SeedISO || before.Manifest.VMs[1].SeedISO == after.Manifest.VMs[1].SeedISO {
		t.Error("another key of one VM must be another seed of that VM, and no other")
	}
}

// TestMinionKeyOutsideManifest looks for private keys where terraform and its
// logs could show them.
func TestMinionKeyOutsideManifest(t *testing.T) {
	for _, platform := range []string{model.PlatformLibvirt, model.PlatformSandbox} {
		c := renderKeys(t, withKeys(addVMs(newLab(platform), newVM(1))))
		for name, content := range files(t, c) {
			if strings.Contains(content, "PRIVATE") && name != "manifest.json" {
				t.Errorf("%s: %s holds a private key", platform, name)
			}
		}
	}
}

// TestSizeWithKeys tells what keys add to the config of 1,000 VMs: the limit of
// TestSize is for what is beside them.
func TestSizeWithKeys(t *testing.T) {
	s := bigLab(model.PlatformLibvirt, 1000)
	without, with := len(render(t, s).Tar), len(renderKeys(t, withKeys(s)).Tar)
	each := (with - without) / 1000
	t.Logf("%d bytes, %d with keys: %d for each VM", without, with, each)
	if most := len(testKey().Private) + len(testKey().Public) + 512; each > most {
		t.Errorf("a key adds %d bytes, more than %d", each, most)
	}
}
