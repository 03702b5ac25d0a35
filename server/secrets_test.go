package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"homelab/model"
)

// lockedTasmota is a plug with Tasmota that wants a password.
type lockedTasmota struct {
	*httptest.Server
	mu       sync.Mutex
	password string
	on       bool
	lies     bool
}

func newLockedTasmota(t *testing.T, password string) *lockedTasmota {
	d := &lockedTasmota{password: password}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		q := r.URL.Query()
		switch command := q.Get("cmnd"); {
		case q.Get("password") != d.password:
			_, _ = io.WriteString(w, `{"WARNING":"Need user=<username>&password=<password>"}`)
			return
		case command == "Status 10":
			_, _ = io.WriteString(w, `{"StatusSNS":{"Time":"2026-11-23T12:00:00","ENERGY":{"Total":3.185,"Power":12}}}`)
			return
		case strings.HasPrefix(command, "Power ") && !d.lies:
			d.on = command == "Power On"
		}
		said := d.on
		if d.lies {
			said = true
		}
		_, _ = fmt.Fprintf(w, `{"POWER":"%s"}`, map[bool]string{true: "ON", false: "OFF"}[said])
	}))
	t.Cleanup(d.Close)
	return d
}

// TestSecretsGoToDevicesOnly: a device gets its password, and nobody else does.
func TestSecretsGoToDevicesOnly(t *testing.T) {
	const secret = "hunter2-of-the-plug"
	d := newLockedTasmota(t, secret)
	var logged syncBuffer
	l := startLab(t, func(s *Server) {
		s.log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	admin := l.admin()
	l.commit(model.Add(model.Outlet{Name: "plug", Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: d.URL}}))
	eventually(t, "the device refuses us", func() bool {
		return strings.Contains(l.srv.observed.outlet("plug").Error, "wants a password")
	})
	if err := admin.SetSecret(t.Context(), "test", "plug", model.SecretPassword, secret); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the device answers", func() bool { return l.srv.observed.outlet("plug").State == model.PowerOff })
	if err := admin.SwitchOutlet(t.Context(), "plug", true, false); err != nil || !d.on {
		t.Errorf("switching: %v", err)
	}
	r, err := admin.TestOutlet(t.Context(), "plug")
	if err != nil || r.State != model.PowerOn || r.Watts == nil || *r.Watts != 12 || !r.Cycles {
		t.Errorf("test: %+v, %v", r, err)
	}
	revisions, err := admin.History(0, 100)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := json.Marshal([]any{revisions, admin.State(), l.srv.observed.outlet("plug")})
	if err != nil {
		t.Fatal(err)
	}
	out, errs, _ := l.run("outlet show plug --json")
	if all := string(seen) + out + errs + logged.String(); strings.Contains(all, secret) || !strings.Contains(out, `"password"`) {
		t.Errorf("the secret, or nothing of it, is in %s", all)
	}

	// Another password on the device: the new one is used at once.
	d.mu.Lock()
	d.password = "other"
	d.mu.Unlock()
	if err := admin.SwitchOutlet(t.Context(), "plug", false, false); err == nil || !strings.Contains(err.Error(), "refuses the password") {
		t.Errorf("the old password: %v", err)
	}
	if err := admin.SetSecret(t.Context(), "test", "plug", model.SecretPassword, "other"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the device answers again", func() bool { return l.srv.observed.outlet("plug").Error == "" })

	// It does not come back with the outlet.
	l.commit(model.Remove[model.Outlet]("plug"))
	if _, err := admin.Undo(t.Context(), "test", l.srv.store.State().Revision); err != nil {
		t.Fatal(err)
	}
	if got := admin.MissingSecrets("plug"); len(got) != 1 || got[0] != model.SecretPassword {
		t.Errorf("missing are %q", got)
	}
	eventually(t, "it says what is missing", func() bool {
		return strings.Contains(l.srv.observed.outlet("plug").Error, "`outlet edit plug --password -` sets it again")
	})
}

func TestSecretsAreForAdmins(t *testing.T) {
	l := startLab(t)
	key := newKeyPair(t)
	public, fingerprint, _, err := model.ParseKey(strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key.PublicKey()))))
	if err != nil {
		t.Fatal(err)
	}
	l.commit(
		model.Add(model.User{Name: "op", Role: model.RoleOperator, Keys: []model.Key{{Name: "op", PublicKey: public, Fingerprint: fingerprint}}}),
		model.Add(model.Outlet{Name: "plug", Driver: model.DriverShelly, Shelly: model.ShellyOutlet{Address: "127.0.0.1:1"}}),
	)
	operator := l.as(key)
	var refused *PermissionError
	if err := operator.SetSecret(t.Context(), "", "plug", "password", "x"); !errors.As(err, &refused) {
		t.Errorf("an operator sets a secret: %v", err)
	}
	if _, err := operator.Discover(t.Context()); !errors.As(err, &refused) {
		t.Errorf("an operator has the networks searched: %v", err)
	}
	if _, err := operator.Probe(t.Context(), "127.0.0.1"); !errors.As(err, &refused) {
		t.Errorf("an operator looks around: %v", err)
	}
	if o := operator.State().Outlets["plug"]; o.Shelly.Address != "" || o.Driver != model.DriverShelly {
		t.Errorf("an operator sees %+v", o)
	}
	for field, outlet := range map[string]string{"token": "plug", "password": "none", "": "plug"} {
		if err := l.admin().SetSecret(t.Context(), "", outlet, field, "x"); err == nil {
			t.Errorf("%s of %s was set", field, outlet)
		}
	}
}

func TestADeviceThatLiesIsAnError(t *testing.T) {
	d := newLockedTasmota(t, "")
	d.lies = true
	l := startLab(t)
	l.commit(model.Add(model.Outlet{Name: "plug", Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: d.URL}}))
	eventually(t, "it is known", func() bool { return l.srv.observed.outlet("plug").State == model.PowerOn })
	err := l.admin().SwitchOutlet(t.Context(), "plug", false, false)
	if err == nil || !strings.Contains(err.Error(), "the device took the order to switch off and still says on") {
		t.Errorf("got %v", err)
	}
}

// syncBuffer may be written by many.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
