package server

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"charm.land/ssh"
	"charm.land/wish/v2"
	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
	"homelab/server/command"
)

const (
	handshakeTime  = 15 * time.Second
	maxAuthTries   = 10 // a person's ssh-agent offers its keys one by one
	maxSessions    = 20 // on one connection
	maxPTYColumns  = 500
	maxPTYRows     = 300
	refusedColumns = 4 * maxPTYColumns // what asks for that much is no terminal
	refusedRows    = 4 * maxPTYRows
)

// endpoint is the SSH server: what it speaks, who gets in, and what answers.
func (s *Server) endpoint() *ssh.Server {
	srv := &ssh.Server{
		Version:          "homelab",
		HandshakeTimeout: handshakeTime,
		HostSigners:      []ssh.Signer{s.keys.all()[0]},
		Handler:          s.handleSession,
		ConnCallback: func(ctx ssh.Context, conn net.Conn) net.Conn {
			ctx.SetValue(visitorKey{}, conn)
			return conn
		},
		PublicKeyHandler:     s.mayShow,
		ServerConfigCallback: s.serverConfig,
		PtyCallback: func(ctx ssh.Context, pty ssh.Pty) bool {
			return pty.Window.Width <= refusedColumns && pty.Window.Height <= refusedRows && s.mayHaveTerminal(ctx)
		},
		ChannelHandlers: map[string]ssh.ChannelHandler{"session": s.handleChannel},
		RequestHandlers: map[string]ssh.RequestHandler{wire.ProveHostKeysRequest: s.proveHostKeys},
		ConnectionFailedCallback: func(conn net.Conn, err error) {
			s.log.Debug("refused", "address", conn.RemoteAddr().String(), "error", err)
		},
	}
	for _, option := range []ssh.Option{
		ssh.EmulatePty(),
		wish.WithSubsystem(wire.SubsystemAgent, s.subsystem(isAgent, s.serveAgent)),
		wish.WithSubsystem(wire.SubsystemTerraform, s.subsystem(isAgent, s.serveTerraform)),
		wish.WithSubsystem(wire.SubsystemBinary, s.subsystem(isAgent, s.serveBinary)),
		wish.WithSubsystem(wire.SubsystemJoin, s.subsystem(isInvite, s.serveJoin)),
	} {
		_ = option(srv) // these set fields only
	}
	emulate := srv.PtyHandler
	srv.PtyHandler = func(ctx ssh.Context, sess ssh.Session, pty ssh.Pty) (func() error, error) {
		s.watchWindow(sess, pty.Term)
		return emulate(ctx, sess, pty)
	}
	return srv
}

// mayShow tells whether a key that is offered is known. It runs before the
// client has proved that it has it: nothing but the answer is decided here.
func (s *Server) mayShow(ctx ssh.Context, key ssh.PublicKey) bool {
	_, err := s.identities.admits(newCredential(key, ctx.RemoteAddr()))
	if err != nil {
		if v := visitorOf(ctx); v != nil {
			v.refused(gossh.FingerprintSHA256(key), err)
		}
	}
	return err == nil
}

// welcome notes who a connection is, once it has proved that.
func (s *Server) welcome(ctx ssh.Context, conn gossh.ConnMetadata, key gossh.PublicKey) error {
	c := newCredential(key, conn.RemoteAddr())
	who, err := s.identities.of(c)
	v := visitorOf(ctx)
	if err == nil && v != nil {
		err = s.live.enter(v, who, c, firstLineOf(string(conn.ClientVersion())))
	}
	if err != nil {
		if v != nil {
			v.refused(gossh.FingerprintSHA256(key), err)
		}
		return err
	}
	v.known()
	s.log.Info("connected", "who", who.String(), "address", conn.RemoteAddr().String(), "key", who.fingerprint)
	s.audit.note(model.Audited{Kind: model.AuditConnected, Who: who.String(), Address: conn.RemoteAddr().String(), Key: who.fingerprint, What: "connected with " + cmp.Or(who.key, "its key")})
	return nil
}

// who is the one behind a session, as of now.
func (s *Server) who(sess ssh.Session) (identity, credential, error) {
	c := newCredential(sess.PublicKey(), sess.RemoteAddr())
	who, err := s.identities.of(c)
	return who, c, err
}

// mayHaveTerminal tells whether a connection's key may have a terminal.
func (s *Server) mayHaveTerminal(ctx ssh.Context) bool {
	key, _ := ctx.Value(ssh.ContextKeyPublicKey).(ssh.PublicKey)
	who, err := s.identities.of(newCredential(key, ctx.RemoteAddr()))
	return err == nil && !who.restrict
}

// serverConfig speaks modern algorithms only, so that ssh-audit has nothing to
// say, and tells when a client has become known.
func (s *Server) serverConfig(ctx ssh.Context) *gossh.ServerConfig {
	c := &gossh.ServerConfig{
		MaxAuthTries: maxAuthTries,
		PublicKeyAuthAlgorithms: []string{
			gossh.KeyAlgoED25519, gossh.KeyAlgoSKED25519, gossh.KeyAlgoSKECDSA256,
			gossh.KeyAlgoECDSA256, gossh.KeyAlgoECDSA384, gossh.KeyAlgoECDSA521,
			gossh.KeyAlgoRSASHA256, gossh.KeyAlgoRSASHA512,
		},
		VerifiedPublicKeyCallback: func(conn gossh.ConnMetadata, key gossh.PublicKey, p *gossh.Permissions, _ string) (*gossh.Permissions, error) {
			return p, s.welcome(ctx, conn, key)
		},
	}
	c.KeyExchanges = []string{gossh.KeyExchangeMLKEM768X25519, gossh.KeyExchangeCurve25519}
	c.Ciphers = []string{gossh.CipherAES128GCM, gossh.CipherAES256GCM, gossh.CipherChaCha20Poly1305}
	c.MACs = []string{gossh.HMACSHA256ETM, gossh.HMACSHA512ETM}
	return c
}

// handleChannel limits the sessions of one connection and of one user.
func (s *Server) handleChannel(srv *ssh.Server, conn *gossh.ServerConn, ch gossh.NewChannel, ctx ssh.Context) {
	v := visitorOf(ctx)
	if err := s.live.open(v); err != nil {
		_ = ch.Reject(gossh.ResourceShortage, err.Error())
		return
	}
	defer s.live.closed(v)
	v.first.Do(func() { s.announceHostKeys(conn) })
	raw := &rawChannel{NewChannel: ch}
	ssh.DefaultSessionHandler(srv, conn, raw, channelContext{ctx, raw})
}

// handleSession is a shell or a command: people only.
func (s *Server) handleSession(sess ssh.Session) {
	done, ok := s.live.begin()
	if !ok {
		return
	}
	defer done()
	who, c, err := s.who(sess)
	if err == nil && who.kind != isUser {
		err = errors.New("this key is for the subsystems of an agent only")
		s.deny(who, sess, "a session: "+err.Error())
	}
	if err != nil {
		refuse(sess, err)
		return
	}
	log := s.log.With("user", who.name, "address", sess.RemoteAddr().String())
	defer recovered(sess, log)
	lab := s.lab(c, sess.LocalAddr().String())
	win := s.window(sess)
	switch raw := sess.RawCommand(); {
	case raw != "":
		args, err := model.SplitCommand(raw)
		if err != nil {
			fmt.Fprintf(sess.Stderr(), "error: %v\nthe shell that ssh runs in takes quotes away: quote the whole command once more\n", err)
			_ = sess.Exit(exitUsage)
			return
		}
		if screen, ok := command.Opens(lab.State(), screens(), args); ok && win != nil {
			s.runDashboard(sess, lab, win, screen, log)
			return
		}
		s.runCommand(sess, lab, args, win, log)
	case win == nil:
		s.explain(sess, lab)
	default:
		s.runDashboard(sess, lab, win, nil, log)
	}
}

// subsystem wraps a subsystem's handler: no middleware runs for it, so it is
// authorised, logged, recovered and kept alive here.
func (s *Server) subsystem(kind identityKind, serve func(ssh.Session, identity, *slog.Logger) error) ssh.SubsystemHandler {
	return func(sess ssh.Session) {
		done, ok := s.live.begin()
		if !ok {
			return
		}
		defer done()
		who, _, err := s.who(sess)
		log := s.log.With("subsystem", sess.Subsystem(), "who", who.String(), "address", sess.RemoteAddr().String())
		defer recovered(sess, log)
		if err == nil && who.kind != kind {
			err = wrongKey(sess.Subsystem(), who)
			s.deny(who, sess, "the subsystem "+sess.Subsystem())
		}
		if err != nil {
			refuse(sess, err)
			return
		}
		defer s.live.doing(visitorOf(sess.Context()), "subsystem "+sess.Subsystem())()
		err = serve(sess, who, log)
		switch {
		case err != nil:
			log.Info("ended", "error", err)
			refuse(sess, err)
		default:
			_ = sess.Exit(0)
		}
	}
}

func wrongKey(subsystem string, who identity) error {
	switch {
	case who.kind == isUser && subsystem == wire.SubsystemTerraform:
		return errors.New("this subsystem is for agents: use the command `config NAME`, with --tar for the same bytes")
	case who.kind == isUser:
		return fmt.Errorf("the subsystem %q is for agents", subsystem)
	case subsystem == wire.SubsystemJoin:
		return errors.New("this agent has joined already: start it without a token")
	}
	return fmt.Errorf("this key may not use the subsystem %q", subsystem)
}

// deny notes what somebody who is known was refused.
func (s *Server) deny(who identity, sess ssh.Session, what string) {
	s.log.Warn("denied", "who", who.String(), "address", sess.RemoteAddr().String(), "what", what)
	s.audit.note(model.Audited{Kind: model.AuditDenied, Who: who.String(), Address: sess.RemoteAddr().String(), Key: who.fingerprint, What: what})
}

// refuse says why on standard error and exits 1.
func refuse(sess ssh.Session, err error) {
	fmt.Fprintf(sess.Stderr(), "error: %v\n", err)
	_ = sess.Exit(1)
}

// recovered ends only the session whose handler panicked.
func recovered(sess ssh.Session, log *slog.Logger) {
	if p := recover(); p != nil {
		log.Error("panic", "panic", p, "stack", string(debug.Stack()))
		refuse(sess, errors.New("something is wrong in the server; its log says what"))
	}
}
