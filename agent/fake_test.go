package agent

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// patience is how long tests wait for a condition.
const patience = 60 * time.Second

// fakeServer is a server as an agent sees it, over real SSH.
type fakeServer struct {
	t       *testing.T
	address string
	host    ssh.Signer
	ln      net.Listener
	wg      sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{}     // closed at each change of what follows
	keys    map[string]string // hypervisor by public key; "" joins
	config  []byte
	spools  map[string][]model.Record // committed, by spool
	spool   string                    // of the agent that is connected
	records []model.Record            // committed, in order of their coming
	inv     wire.Inventory
	load    *model.Load
	facts   model.Facts // that came with an inventory
	hellos  []wire.Hello
	results map[uint64]string
	errors  []string
	w       *wire.Writer
	conns   map[net.Conn]bool
	fetches int
	joins   int
	mute    bool // commit nothing
	order   uint64
}

func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeServer{
		t: t, address: ln.Addr().String(), host: host, ln: ln, changed: make(chan struct{}), keys: map[string]string{},
		spools: map[string][]model.Record{}, results: map[uint64]string{}, conns: map[net.Conn]bool{},
	}
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		ln.Close()
		s.cut()
		s.wg.Wait()
	})
	return s
}

func (s *fakeServer) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = true
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(conn) })
	}
}

// cut cuts all connections.
func (s *fakeServer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

func (s *fakeServer) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// until waits for a condition of the server's fields.
func (s *fakeServer) until(what string, f func() bool) {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		ok, changed := s.try(f)
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Fatalf("waited in vain for: %s\nerrors: %q\n%s", what, s.errors, logOf(s.records))
		}
	}
}

func (s *fakeServer) try(f func() bool) (bool, chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock() // f may end the test
	return f(), s.changed
}

func logOf(records []model.Record) string {
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "%d run %d %s %s %s", r.Seq, r.Run, r.State, r.Message, r.Error)
		if r.Resource != nil {
			fmt.Fprintf(&b, " [%s %s %s]", r.Resource.Label, r.Resource.Action, r.Resource.Status)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s *fakeServer) serve(conn net.Conn) {
	defer conn.Close()
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		hv, ok := s.keys[authorizedKey(k)]
		if !ok {
			return nil, fmt.Errorf("unknown key")
		}
		return &ssh.Permissions{Extensions: map[string]string{"hv": hv, "key": authorizedKey(k)}}, nil
	}}
	config.AddHostKey(s.host)
	c, chans, reqs, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(reqs)
	for nc := range chans {
		ch, reqs, err := nc.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			for req := range reqs {
				var p struct{ Name string }
				_ = ssh.Unmarshal(req.Payload, &p)
				_ = req.Reply(req.Type == "subsystem", nil)
				s.wg.Go(func() {
					status := s.subsystem(p.Name, c.Permissions.Extensions, ch)
					_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ S uint32 }{uint32(status)}))
					ch.Close()
				})
			}
		})
	}
}

func (s *fakeServer) subsystem(name string, who map[string]string, ch ssh.Channel) int {
	switch {
	case name == wire.SubsystemJoin && who["hv"] == "":
		var req wire.JoinRequest
		if json.NewDecoder(ch).Decode(&req) != nil {
			return 1
		}
		s.change(func() {
			delete(s.keys, who["key"])
			s.keys[req.PublicKey] = "hv1"
			s.joins++
		})
		_ = json.NewEncoder(ch).Encode(wire.JoinReply{Hypervisor: "hv1"})
		return 0
	case name == wire.SubsystemTerraform && who["hv"] != "":
		s.mu.Lock()
		config := s.config
		s.mu.Unlock()
		s.change(func() { s.fetches++ })
		if config == nil {
			fmt.Fprintln(ch.Stderr(), "there is no hypervisor named hv1")
			return 1
		}
		_, _ = ch.Write(config)
		return 0
	case name == wire.SubsystemAgent && who["hv"] != "":
		s.agent(ch)
		return 0
	}
	return 1
}

func (s *fakeServer) agent(ch ssh.Channel) {
	r, w := wire.NewReader(ch), wire.NewWriter(ch)
	f, err := r.Read()
	if err != nil || f.Hello == nil {
		return
	}
	s.mu.Lock()
	ack := uint64(len(s.spools[f.Hello.Spool]))
	s.mu.Unlock()
	if w.Write(wire.Frame{Kind: wire.KindWelcome, Welcome: &wire.Welcome{Version: wire.Version, Hypervisor: "hv1", Ack: ack}}) != nil {
		return
	}
	s.change(func() { s.w, s.spool, s.hellos = w, f.Hello.Spool, append(s.hellos, *f.Hello) })
	defer s.change(func() {
		if s.w == w {
			s.w = nil
		}
	})
	for {
		f, err := r.Read()
		if err != nil {
			return
		}
		s.take(w, f)
	}
}

func (s *fakeServer) take(w *wire.Writer, f wire.Frame) {
	var ack uint64
	s.change(func() {
		switch f.Kind {
		case wire.KindRecords:
			if s.mute {
				return
			}
			for _, rec := range f.Records {
				have := s.spools[s.spool]
				switch n := uint64(len(have)); {
				case rec.Seq <= n: // sent again
				case rec.Seq == n+1:
					s.spools[s.spool] = append(have, rec)
					s.records = append(s.records, rec)
				default:
					s.t.Errorf("record %d after %d", rec.Seq, n)
				}
			}
			ack = uint64(len(s.spools[s.spool]))
		case wire.KindLoad:
			s.load = f.Load
		case wire.KindInventory:
			s.inv = *f.Inventory
			if f.Inventory.Facts != nil {
				s.facts = *f.Inventory.Facts
			}
		case wire.KindResult:
			s.results[f.Order] = f.Error
		case wire.KindError:
			s.errors = append(s.errors, f.Error)
		}
	})
	if ack > 0 {
		_ = w.Write(wire.Frame{Kind: wire.KindAck, Ack: ack})
	}
}

// send says something to the agent, as soon as it is connected.
func (s *fakeServer) send(f wire.Frame) {
	s.t.Helper()
	var w *wire.Writer
	s.until("the agent to connect", func() bool { w = s.w; return w != nil })
	_ = w.Write(f)
}

// ask gives a numbered order and returns the answer.
func (s *fakeServer) ask(f wire.Frame) string {
	s.t.Helper()
	s.mu.Lock()
	s.order++
	f.Order = s.order
	s.mu.Unlock()
	s.send(f)
	var text string
	s.until(fmt.Sprintf("an answer to %s", f.Kind), func() bool {
		var ok bool
		text, ok = s.results[f.Order]
		return ok
	})
	return text
}

// state waits until a run is in a state, and returns the run.
func (s *fakeServer) state(id uint64, want model.RunState) model.Run {
	s.t.Helper()
	var run model.Run
	s.until(fmt.Sprintf("run %d to be %s", id, want), func() bool {
		run = s.folded(id)
		if run.State.Ended() && run.State != want {
			s.t.Fatalf("run %d ended as %s (%s), not %s\n%s", id, run.State, run.Error, want, logOf(s.records))
		}
		return run.State == want
	})
	return run
}

// folded is a run as its records make it.
func (s *fakeServer) folded(id uint64) model.Run {
	run := model.Run{ID: id, State: model.RunQueued}
	for _, rec := range s.records {
		if rec.Run == id {
			run.Fold(rec)
		}
	}
	return run
}

// offer makes a config the one that the server has, and returns its digest.
func (s *fakeServer) offer(config []byte) string {
	sum := sha256.Sum256(config)
	s.change(func() { s.config = config })
	return hex.EncodeToString(sum[:])
}

// token makes an invite.
func (s *fakeServer) token() wire.Token {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed)
	t := wire.Token{Address: s.address, Fingerprint: ssh.FingerprintSHA256(s.host.PublicKey()), Seed: seed}
	key, err := ssh.NewPublicKey(t.Key().Public())
	if err != nil {
		s.t.Fatal(err)
	}
	s.change(func() { s.keys[authorizedKey(key)] = "" })
	return t
}

// running is an agent under test.
type running struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func (r *running) stop() error {
	r.cancel()
	<-r.done
	return r.err
}

// start starts an agent; the test ends it.
func start(t *testing.T, opts Options) *running {
	t.Helper()
	if opts.Log == nil {
		opts.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if opts.Terraform == "" {
		opts.Terraform = terraformFor(t)
	}
	return begin(t, opts)
}

// begin starts an agent that finds its terraform itself; the test ends it.
func begin(t *testing.T, opts Options) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = Run(ctx, opts)
	}()
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Logf("agent: %v", err)
		}
	})
	return r
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// terraformFor finds a terraform for tests.
func terraformFor(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("neither terraform nor tofu is on PATH: install one to run this test")
	return ""
}

// tarOf makes a config.
func tarOf(t *testing.T, m wire.Manifest, files map[string]string) []byte {
	t.Helper()
	manifest, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	put := func(name, text string) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	put(wire.ManifestFile, string(manifest))
	for _, name := range model.Names(files) {
		put(name, files[name])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const variables = `
variable "domain_type" {}
variable "cpu_mode" {}
variable "uri" {}
variable "seeds" {}
`

// sandboxConfig is a config of VMs named vm1, vm2 … by their IDs; text is what
// their resources hold.
func sandboxConfig(t *testing.T, text string, ids ...string) []byte {
	m := wire.Manifest{Version: 1, Hypervisor: "hv1", Platform: model.PlatformSandbox}
	files := map[string]string{wire.MainFile: variables}
	for i, id := range ids {
		name := fmt.Sprintf("vm%d", i+1)
		m.VMs = append(m.VMs, wire.VM{ID: id, Name: name, DomainName: name + "_on_hv1", Running: true, RootVolume: name + "_on_hv1"})
		files["vm-"+name+".tf"] = fmt.Sprintf(`
resource "terraform_data" "vm_%[1]s_root" {
  input = "disk"
}
resource "terraform_data" "vm_%[1]s" {
  input            = %[2]q
  triggers_replace = [terraform_data.vm_%[1]s_root.id]
}
`, id, text)
	}
	return tarOf(t, m, files)
}
