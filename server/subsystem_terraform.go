package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"

	"charm.land/ssh"

	"homelab/model"
)

// serveTerraform writes the config of the calling agent's hypervisor as a tar,
// and ends. Everything that can go wrong does so before the first byte, but
// for the connection itself: the agent checks the digest.
func (s *Server) serveTerraform(sess ssh.Session, who identity, log *slog.Logger) error {
	config, err := s.configs.fetch(who.name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(sess.Context())
	defer cancel()
	var helper sync.WaitGroup
	helper.Go(func() { keepAlive(ctx, sess, s.keepalive, func() { closeConn(sess) }) })
	if _, err := io.Copy(sess, bytes.NewReader(config.Tar)); err != nil {
		return err
	}
	cancel()
	helper.Wait()
	s.agentDid(sess, who, model.AuditDid, "fetched its config")
	log.Info("config fetched", "hypervisor", who.name, "digest", config.Digest, "bytes", len(config.Tar))
	return nil
}
