package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digitalocean/go-libvirt"
)

// callTime is the deadline of one libvirt call; its RPC can deadlock.
var callTime = 20 * time.Second

// virt is the platform of real guests, and the connection to libvirt: opened
// when it is needed, given up when a call does not return, one call at a time.
type virt struct {
	a      *agent
	uri    libvirt.ConnectURI
	socket string

	connMu sync.Mutex
	conn   net.Conn

	turn chan struct{} // holds one token; its owner may use what follows
	l    *libvirt.Libvirt
	ids  map[libvirt.UUID]string // metadata of domains seen before
	// What was seen of domains before, for the inventory and the load.
	transient map[libvirt.UUID]bool
	since     map[libvirt.UUID]started
	counts    map[libvirt.UUID]counted

	addrs     map[libvirt.UUID]addresses // report's, which is one at a time
	strangers map[libvirt.UUID]described // likewise
	stale     atomic.Bool                // a domain was defined or undefined: look at all anew
	ver       atomic.Pointer[string]
	made      *volumes
	downs     downs
	// arrived are volumes of VMs that are being moved here: ours before any config
	// has them.
	arrived *volumes

	files   *imageFiles
	poolsMu sync.Mutex // pools are made by runs and when the agent starts
}

// openVirt prepares the connection; libvirt need not be there.
func (a *agent) openVirt() error {
	u, err := url.Parse(a.opts.LibvirtURI)
	if err != nil {
		return fmt.Errorf("libvirt's URI: %w", err)
	}
	socket := u.Query().Get("socket")
	switch {
	case u.Host != "" || u.Scheme != "qemu":
		return fmt.Errorf("libvirt's URI %q does not name this machine's qemu: use qemu:///system", a.opts.LibvirtURI)
	case socket != "":
	case u.Path == "/system":
		socket = "/var/run/libvirt/libvirt-sock"
	case u.Path == "/session":
		socket = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "libvirt", "libvirt-sock")
	default:
		return fmt.Errorf("libvirt's URI %q ends neither in /system nor in /session", a.opts.LibvirtURI)
	}
	u.RawQuery = ""
	made, err := openVolumes(a.f, volumesFile)
	if err != nil {
		return err
	}
	arrived, err := openVolumes(a.f, arrivedFile)
	if err != nil {
		return err
	}
	files, err := openImageFiles(a.f)
	if err != nil {
		return err
	}
	a.virt = &virt{a: a, files: files, uri: libvirt.ConnectURI(u.String()), socket: socket, turn: make(chan struct{}, 1), ids: map[libvirt.UUID]string{}, made: made, arrived: arrived}
	a.virt.turn <- struct{}{}
	return nil
}

// Version is libvirt's version once there was a connection.
func (v *virt) Version() string {
	if ver := v.ver.Load(); ver != nil {
		return *ver
	}
	return ""
}

// Close ends the connection.
func (v *virt) Close() {
	<-v.turn
	defer func() { v.turn <- struct{}{} }()
	v.drop()
}

// Dial connects for go-libvirt and remembers the socket, so that a connection
// whose calls hang can be given up.
func (v *virt) Dial() (net.Conn, error) {
	conn, err := net.DialTimeout("unix", v.socket, 5*time.Second)
	if err != nil {
		return nil, err
	}
	v.connMu.Lock()
	defer v.connMu.Unlock()
	v.conn = conn
	return conn, nil
}

// errUnreachable says that there is no libvirt to talk to.
var errUnreachable = errors.New("cannot reach libvirt")

func (v *virt) connect() error {
	if v.l != nil && v.l.IsConnected() {
		return nil
	}
	l := libvirt.NewWithDialer(v)
	if err := l.ConnectToURI(v.uri); err != nil {
		return fmt.Errorf("%w (%w): is libvirtd running on the hypervisor?", errUnreachable, err)
	}
	v.l = l
	if n, err := l.ConnectGetLibVersion(); err == nil {
		ver := fmt.Sprintf("%d.%d.%d", n/1_000_000, n/1000%1000, n%1000)
		v.ver.Store(&ver)
	}
	return nil
}

// cut closes the socket: calls under way return ErrInterrupted.
func (v *virt) cut() {
	v.connMu.Lock()
	defer v.connMu.Unlock()
	if v.conn != nil {
		v.conn.Close()
	}
	v.conn = nil
}

func (v *virt) drop() {
	v.cut()
	v.l = nil
}

// call makes libvirt calls under a deadline. After one that did not return,
// the connection is given up; the goroutine that hangs in it ends then.
func call[T any](ctx context.Context, v *virt, f func(*libvirt.Libvirt) (T, error)) (T, error) {
	var zero T
	select {
	case <-v.turn:
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		if r.err = v.connect(); r.err == nil {
			r.value, r.err = f(v.l)
		}
		done <- r
	}()
	t := time.NewTimer(callTime)
	defer t.Stop()
	select {
	case r := <-done:
		if errors.Is(r.err, libvirt.ErrInterrupted) || errors.Is(r.err, net.ErrClosed) {
			v.drop()
			r.err = errors.New("libvirt ended the connection: was libvirtd stopped on the hypervisor?")
		}
		v.turn <- struct{}{}
		return r.value, r.err
	case <-t.C:
	case <-ctx.Done():
	}
	go func() { // the turn is over when the call is
		v.cut()
		<-done
		v.drop()
		v.turn <- struct{}{}
	}()
	if ctx.Err() != nil {
		return zero, context.Cause(ctx)
	}
	return zero, fmt.Errorf("libvirt did not answer in %s: is libvirtd all right on the hypervisor?", callTime)
}

// do is call for calls that return nothing.
func (v *virt) do(ctx context.Context, f func(*libvirt.Libvirt) error) error {
	_, err := call(ctx, v, func(l *libvirt.Libvirt) (struct{}, error) { return struct{}{}, f(l) })
	return err
}

// isCode tells whether err is libvirt's error of that number.
func isCode(err error, code libvirt.ErrorNumber) bool {
	var e libvirt.Error
	return errors.As(err, &e) && e.Code == uint32(code)
}

// uuidString is a UUID as terraform's state has it.
func uuidString(u libvirt.UUID) string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
