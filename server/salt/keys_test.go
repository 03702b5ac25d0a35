package salt

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeys(t *testing.T) {
	tests := map[string]Keys{
		"key-list-pending": {[]string{}, []string{"rogue_on_nowhere", "web_on_thinkpad"}, []string{}, []string{}},
		"key-list-mixed":   {[]string{"web_on_thinkpad"}, []string{"bad_on_thinkpad", "db_on_thinkpad"}, []string{"rogue_on_nowhere"}, []string{}},
		"key-list-denied": {
			[]string{"bad_on_thinkpad", "web_on_thinkpad"},
			[]string{"db_on_thinkpad"},
			[]string{"rogue_on_nowhere"},
			[]string{"web_on_thinkpad"},
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.play("salt-key", name)
			got, err := f.Keys(t.Context())
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("keys (-want +got), error %v:\n%s", err, diff)
			}
		})
	}
}

// TestKeysNot plays what is no list of keys: no key may look deleted for it.
func TestKeysNot(t *testing.T) {
	for _, name := range []string{"key-accept-unknown", "down-manage-status", "lookup-jid"} {
		f := newFake(t)
		f.play("salt-key", name)
		if keys, err := f.Keys(t.Context()); err == nil {
			t.Errorf("%s was read as keys: %v", name, keys)
		}
	}
}

// recordedKey is the key whose fingerprint is recorded too.
func recordedKey(t *testing.T) (public, fingerprint string) {
	t.Helper()
	var keys, fingers map[string]map[string]string
	if err := json.Unmarshal([]byte(record(t, "key-print.stdout")), &keys); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(record(t, "key-finger-pending.stdout")), &fingers); err != nil {
		t.Fatal(err)
	}
	return keys["minions_pre"]["db_on_thinkpad"], fingers["minions_pre"]["db_on_thinkpad"]
}

func TestFingerprints(t *testing.T) {
	f := newFake(t)
	f.play("salt-key", "key-finger-pending")
	_, want := recordedKey(t)
	got, err := f.Fingerprints(t.Context(), "db_on_thinkpad")
	if err != nil || got != (Fingerprints{Pending: want}) {
		t.Errorf("fingerprints are %+v, error %v", got, err)
	}
	f.play("salt-key", "key-accept-unknown") // prose, exit 0
	if got, err := f.Fingerprints(t.Context(), "nosuch"); err != nil || got != (Fingerprints{}) {
		t.Errorf("fingerprints of nobody are %+v, error %v", got, err)
	}
}

func TestAccept(t *testing.T) {
	public, finger := recordedKey(t)
	f := newFake(t)
	f.key("minions_pre", "db-on-thinkpad", public)
	f.key("minions_pre", "db2-on-thinkpad", public)

	if err := f.Accept(t.Context(), "nosuch", finger); err == nil || !strings.Contains(err.Error(), "no key of nosuch is pending") {
		t.Errorf("a key that is not there: %v", err)
	}
	other := strings.Replace(finger, "df:", "00:", 1)
	if err := f.Accept(t.Context(), "db-on-thinkpad", other); !errors.Is(err, ErrFingerprint) {
		t.Errorf("a key with another fingerprint: %v", err)
	}
	if err := f.Accept(t.Context(), "db-on-thinkpad", ""); !errors.Is(err, ErrFingerprint) {
		t.Errorf("no fingerprint: %v", err)
	}
	for range 2 { // the second time it is there already
		if err := f.Accept(t.Context(), "db-on-thinkpad", strings.ToUpper(finger)); err != nil {
			t.Fatal(err)
		}
	}
	want := Keys{[]string{"db-on-thinkpad"}, []string{"db2-on-thinkpad"}, []string{}, []string{}}
	if got, err := f.Keys(t.Context()); err != nil || !got.equal(want) {
		t.Errorf("keys are %+v, error %v", got, err)
	}
}

// TestAcceptNothing has a salt-key that says that all is well, and does
// nothing.
func TestAcceptNothing(t *testing.T) {
	_, finger := recordedKey(t)
	f := newFake(t)
	f.play("salt-key", "key-finger-pending")
	if err := f.Accept(t.Context(), "db_on_thinkpad", finger); err == nil || !strings.Contains(err.Error(), "the key is not accepted") {
		t.Errorf("accepting nothing: %v", err)
	}
}

func TestDelete(t *testing.T) {
	public, _ := recordedKey(t)
	f := newFake(t)
	f.key("minions", "web", public)
	f.key("minions_denied", "web", public)
	f.key("minions", "web2", public)
	for range 2 {
		if err := f.Delete(t.Context(), "web"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.Keys(t.Context()); err != nil || got.Has("web") || !got.Has("web2") {
		t.Errorf("keys are %+v, error %v", got, err)
	}
	f = newFake(t)
	f.play("salt-key", "key-list-denied")
	if err := f.Delete(t.Context(), "web_on_thinkpad"); err == nil || !strings.Contains(err.Error(), "still there") {
		t.Errorf("deleting nothing: %v", err)
	}
}

func TestPreSeed(t *testing.T) {
	pair, err := generateKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	other, finger := recordedKey(t)
	tests := map[string]struct {
		folder, key string
		want        string // in the error
	}{
		"nothing":       {},
		"itself":        {"minions", pair.Public, ""},
		"another":       {"minions", other, finger},
		"pending":       {"minions_pre", pair.Public, ""},
		"other pending": {"minions_pre", other, ""},
		"rejected":      {"minions_rejected", pair.Public, "was rejected"},
		"other denied":  {"minions_denied", other, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if test.folder != "" {
				f.key(test.folder, "web-on-thinkpad", test.key)
			}
			err := f.PreSeed(t.Context(), "web-on-thinkpad", pair.Public)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("the error is %v", err)
				}
				return
			}
			got, readErr := os.ReadFile(filepath.Join(f.dir, "pki/minions/web-on-thinkpad"))
			if err != nil || readErr != nil || string(got) != pair.Public {
				t.Errorf("errors %v, %v, the master has:\n%s", err, readErr, got)
			}
			if keys, err := f.Keys(t.Context()); err != nil || len(keys.Pending) > 0 {
				t.Errorf("keys are %+v, error %v", keys, err)
			}
		})
	}
}

// TestPreSeedElsewhere has a master that looks for keys in another folder.
func TestPreSeedElsewhere(t *testing.T) {
	public, _ := recordedKey(t)
	f := newFake(t)
	f.PKI = filepath.Join(t.TempDir(), "pki")
	if err := os.MkdirAll(f.PKI+"/minions", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := f.PreSeed(t.Context(), "web", public); err == nil || !strings.Contains(err.Error(), "pki_dir") {
		t.Errorf("seeding elsewhere: %v", err)
	}
	f.PKI = f.dir + "/missing"
	if err := f.PreSeed(t.Context(), "web", public); err == nil || !strings.Contains(err.Error(), "No such file") {
		t.Errorf("seeding nowhere: %v", err)
	}
	f.PKI = "/etc/salt/../../tmp/$(id)"
	if err := f.PreSeed(t.Context(), "web", public); err == nil || !strings.Contains(err.Error(), "plain names") {
		t.Errorf("seeding into a strange folder: %v", err)
	}
}
