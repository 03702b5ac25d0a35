package server

import (
	"bytes"
	"io"
	"log/slog"

	"charm.land/ssh"
)

// serveTerraform writes the config of the calling agent's hypervisor as a tar,
// and ends. Everything that can go wrong does so before the first byte, but
// for the connection itself: the agent checks the digest.
func (s *Server) serveTerraform(sess ssh.Session, who identity, log *slog.Logger) error {
	config, err := s.configs.fetch(who.name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(sess, bytes.NewReader(config.Tar)); err != nil {
		return err
	}
	log.Info("config fetched", "hypervisor", who.name, "digest", config.Digest, "bytes", len(config.Tar))
	return nil
}
