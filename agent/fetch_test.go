package agent

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// FuzzUnpack: of whatever tar comes, files land in its folder only, none of
// them a link, and a folder that is there is whole.
func FuzzUnpack(f *testing.F) {
	for _, files := range [][]tar.Header{
		{{Name: "manifest.json"}, {Name: "main.tf"}},
		{{Name: "../x"}},
		{{Name: "a/b/c", Mode: 0o777}, {Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc"}},
		{{Name: "/x", Typeflag: tar.TypeDir}, {Name: "x", Typeflag: tar.TypeLink, Linkname: "manifest.json"}},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range files {
			if h.Typeflag == 0 {
				h.Size = 2
			}
			if err := w.WriteHeader(&h); err != nil {
				f.Fatal(err)
			}
			if h.Typeflag == 0 {
				_, _ = w.Write([]byte("{}"))
			}
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		top := t.TempDir()
		data := folder(filepath.Join(top, "data"))
		err := unpackConfig(data, "digest", b)
		_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, _ error) error {
			if !d.IsDir() && (!d.Type().IsRegular() || filepath.Dir(path) == top || filepath.Dir(path) == string(data)) {
				t.Errorf("%s is where no file may be, %s", path, d.Type())
			}
			return nil
		})
		_, gone := os.Stat(data.path(configFolder, "digest"))
		if (err == nil) != (gone == nil) {
			t.Errorf("unpacked with %v, and its folder: %v", err, gone)
		}
	})
}
