package agent

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"homelab/agent/wire"
	"homelab/model"
)

// lists are how publishers write their checksums of a file, as seen at theirs.
var lists = map[string]func(name string, data []byte) string{
	"debian": func(name string, data []byte) string {
		return fmt.Sprintf("%0128d  other.json\n%x  %s\n", 0, sha512.Sum512(data), name)
	},
	"ubuntu": func(name string, data []byte) string {
		return fmt.Sprintf("%x *%s\n%064d *other.tar.gz\n", sha256.Sum256(data), name, 0)
	},
	"fedora": func(name string, data []byte) string {
		return fmt.Sprintf("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# %s: %d bytes\nSHA256 (%s) = %x\n# other.raw.xz: 5 bytes\nSHA256 (other.raw.xz) = %064d\n"+
			"-----BEGIN PGP SIGNATURE-----\n\niQIz\n-----END PGP SIGNATURE-----\n", name, len(data), name, sha256.Sum256(data), 0)
	},
	"arch": func(_ string, data []byte) string { // of the build's own name
		return fmt.Sprintf("%x  Arch-Linux-x86_64-cloudimg-20260801.1.qcow2\n", sha256.Sum256(data))
	},
}

// TestPresets fetches every preset from a server that plays its publisher: the
// checksum is found in the list that stands at the preset's place, and counts.
func TestPresets(t *testing.T) {
	for _, preset := range model.ImagePresets() {
		t.Run(preset.Name, func(t *testing.T) {
			s := newImageServer(t)
			image, sums := path.Base(preset.URL), ""
			files := map[string]http.HandlerFunc{}
			for name, list := range lists {
				if strings.HasPrefix(preset.Name, name) {
					sums = list(image, s.data)
				}
			}
			at := func(from string, answer http.HandlerFunc) string {
				u, err := url.Parse(from)
				if err != nil || u.Scheme != "https" {
					t.Fatalf("%s: %v", from, err)
				}
				files[u.Path] = answer
				return u.Path
			}
			pathOfImage := at(preset.URL, s.well)
			pathOfSums := at(preset.Checksum, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, sums) })
			publisher := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if answer := files[r.URL.Path]; answer != nil {
					answer(w, r)
					return
				}
				http.NotFound(w, r)
			}))
			defer publisher.Close()
			img := wire.Image{URL: publisher.URL + pathOfImage, Checksum: publisher.URL + pathOfSums}
			p := newTestPool(t)
			if err := p.fetch(t.Context(), img); err != nil {
				t.Fatal(err)
			}
			p.holds(s.data)
			if !strings.Contains(p.text(), "its publisher says sha") {
				t.Errorf("nothing was verified:\n%s", p.text())
			}
			s.data = append(s.data[:len(s.data)-1:len(s.data)-1], 'x') // another file than the list is about
			s.etag = `"two"`
			p = newTestPool(t)
			if err := p.fetch(t.Context(), img); err == nil || !strings.Contains(err.Error(), "nothing of it was kept") {
				t.Errorf("a file with another checksum: %v", err)
			}
			p.entries(0)
		})
	}
}
