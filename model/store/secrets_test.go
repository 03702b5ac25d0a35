package store_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"homelab/model"
	"homelab/model/store"
)

const secret = "correct horse battery staple"

func outletRef(name string) model.Ref { return model.Ref{Kind: model.KindOutlet, Name: name} }

func addOutlet(name string) model.Edit {
	return model.Add(model.Outlet{Name: name, Driver: model.DriverSimulated})
}

func renameOutlet(from, to string) model.Edit {
	return model.Change(from, 0, func(o *model.Outlet) error { o.Name = to; return nil })
}

func setSecret(t *testing.T, s *store.Store, name, value string) {
	t.Helper()
	if err := s.SetSecret(outletRef(name), "password", value); err != nil {
		t.Fatal(err)
	}
}

func wantSecret(t *testing.T, s *store.Store, name, want string) {
	t.Helper()
	if got, ok := s.Secret(outletRef(name), "password"); got != want || ok != (want != "") {
		t.Errorf("the secret of %s is %q, %t; want %q", name, got, ok, want)
	}
}

func TestSecretsAreKeptApart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "homelab.db")
	s := openAt(t, path)
	commit(t, s, addOutlet("plug"))
	w := s.Hub().Watch()
	defer w.Close()
	setSecret(t, s, "plug", secret)
	if _, ok := w.Take()[outletRef("plug")]; !ok {
		t.Error("nobody was told")
	}
	if err := s.SetSecret(outletRef("plug"), "token", "t"); err != nil {
		t.Fatal(err)
	}
	if got := s.Secrets(outletRef("plug")); !slices.Equal(got, []string{"password", "token"}) {
		t.Errorf("set are %q", got)
	}
	revs, err := s.Revisions(0, 100)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := json.Marshal([]any{revs, s.State()})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(seen), secret) || len(revs) != 1 {
		t.Errorf("%d revisions; the secret is in %s", len(revs), seen)
	}
	var backup bytes.Buffer
	if err := s.Backup(&backup); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(copied, backup.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, openAt(t, copied), "plug", secret)
	s.Close()
	s = openAt(t, path)
	wantSecret(t, s, "plug", secret)
	setSecret(t, s, "plug", "")
	wantSecret(t, s, "plug", "")
	if got := s.Secrets(outletRef("plug")); !slices.Equal(got, []string{"token"}) {
		t.Errorf("set are %q", got)
	}
}

func TestSecretsFollowTheirObject(t *testing.T) {
	s := open(t)
	commit(t, s, addOutlet("a"), addOutlet("b"), model.Change("b", 0, func(o *model.Outlet) error { o.Groups = []string{"g"}; return nil }))
	setSecret(t, s, "a", "of a")
	setSecret(t, s, "b", "of b")
	commit(t, s, renameOutlet("a", "x"), renameOutlet("b", "a"), renameOutlet("x", "b"))
	wantSecret(t, s, "a", "of b")
	wantSecret(t, s, "b", "of a")
	commit(t, s, renameOutlet("a", "c"), addOutlet("a"))
	wantSecret(t, s, "a", "")
	wantSecret(t, s, "c", "of b")
	commit(t, s, model.Change("c", 0, func(o *model.Outlet) error { o.Essential = true; return nil }))
	wantSecret(t, s, "c", "of b")
}

func TestSecretsGoWithTheirObject(t *testing.T) {
	s := open(t)
	commit(t, s, addOutlet("a"))
	setSecret(t, s, "a", secret)
	gone := commit(t, s, model.Remove[model.Outlet]("a"))
	wantSecret(t, s, "a", "")
	commit(t, s, addOutlet("a"))
	wantSecret(t, s, "a", "")
	setSecret(t, s, "a", secret)
	commit(t, s, model.Remove[model.Outlet]("a"), addOutlet("a"), model.Change("a", 0, func(o *model.Outlet) error { o.Essential = true; return nil }))
	wantSecret(t, s, "a", "")
	setSecret(t, s, "a", secret)
	gone = commit(t, s, model.Remove[model.Outlet]("a"))
	if _, err := s.Undo("ann", "", gone.Number); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, s, "a", "")
	// Another driver is another device: it is not told the first one's.
	setSecret(t, s, "a", secret)
	commit(t, s, model.Change("a", 0, func(o *model.Outlet) error {
		o.Driver, o.HTTP = model.DriverHTTP, model.HTTPOutlet{OnURL: "http://10.0.0.1/on", OffURL: "http://10.0.0.1/off"}
		return nil
	}))
	wantSecret(t, s, "a", "")
	if _, err := s.Commit("ann", "", model.Remove[model.Outlet]("none")); err == nil {
		t.Error("an edit that fails was done")
	}
}

func TestBadSecrets(t *testing.T) {
	s := open(t)
	for _, c := range []struct {
		ref   model.Ref
		field string
		value string
	}{
		{model.Ref{}, "password", "x"},
		{outletRef(""), "password", "x"},
		{outletRef("a"), "", "x"},
		{outletRef("a"), "password", strings.Repeat("x", 1<<20)},
	} {
		if err := s.SetSecret(c.ref, c.field, c.value); err == nil || strings.Contains(err.Error(), "xxx") {
			t.Errorf("%v %q: got %v", c.ref, c.field, err)
		}
	}
	if got := s.Secrets(outletRef("a")); len(got) > 0 {
		t.Errorf("set are %q", got)
	}
}
