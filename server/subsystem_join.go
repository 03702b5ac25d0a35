package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

const (
	joinTime    = 30 * time.Second
	maxJoinLine = 16 << 10
)

// serveJoin binds the key that a joining agent has made to the hypervisor of
// its invite. The invite is consumed by the same commit, so it works once.
func (s *Server) serveJoin(sess ssh.Session, who identity, log *slog.Logger) error {
	time.AfterFunc(joinTime, func() { closeConn(sess) }) // afterwards too: an invite has nothing else to do
	err := s.join(sess, who)
	reply := wire.JoinReply{Hypervisor: who.name}
	if err != nil {
		s.agentDid(sess, who, model.AuditDenied, "join: "+err.Error())
		reply = wire.JoinReply{Error: err.Error()}
	} else {
		s.agentDid(sess, who, model.AuditDid, "joined as the agent of "+who.name)
		log.Info("agent joined", "hypervisor", who.name)
	}
	line, _ := json.Marshal(reply) // strings: cannot fail
	if _, werr := sess.Write(append(line, '\n')); err == nil && werr != nil {
		return werr
	}
	return err
}

// joinRequest reads the key that an agent wants to be known by.
func joinRequest(r io.Reader) (gossh.PublicKey, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxJoinLine)).ReadBytes('\n')
	if err != nil {
		return nil, errors.New("the request to join is not one line of JSON")
	}
	var req wire.JoinRequest
	if err := json.Unmarshal(line, &req); err != nil {
		return nil, fmt.Errorf("the request to join is malformed: %w", err)
	}
	key, _, options, rest, err := gossh.ParseAuthorizedKey([]byte(req.PublicKey))
	if err != nil || len(options) > 0 || len(rest) > 0 || key.Type() != gossh.KeyAlgoED25519 {
		return nil, errors.New("the agent's public key is not an ed25519 key")
	}
	return key, nil
}

func (s *Server) join(sess ssh.Session, who identity) error {
	key, err := joinRequest(sess)
	if err != nil {
		return err
	}
	agent := model.Agent{
		Hypervisor: who.name, Fingerprint: gossh.FingerprintSHA256(key), Joined: time.Now().UTC(),
		PublicKey: strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key))),
	}
	if other, ok := s.identities.known(agent.Fingerprint); ok {
		return fmt.Errorf("this key is already known as %s: an agent makes a key of its own", other)
	}
	s.live.letFinish(visitorOf(sess.Context()))
	_, err = s.store.Commit("agent "+who.name, "join", func(st *model.State) error {
		inv, ok := st.Invites[who.name]
		if !ok || inv.Fingerprint != who.fingerprint || !time.Now().Before(inv.Expires) {
			return errors.New("this invite was used, replaced or has expired: make another with `agent invite " + who.name + "`")
		}
		delete(st.Invites, who.name)
		st.Agents[who.name] = agent
		return nil
	})
	return err
}
