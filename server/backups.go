package server

import (
	"context"
	"io"
	"time"

	"homelab/model"
	"homelab/server/command"
)

// copyDaily makes a copy of the store each day.
func (s *Server) copyDaily(ctx context.Context) {
	last := ""
	for {
		if s.store.State().Revision > 1 { // else there is the first admin and nothing else
			made, err := s.store.BackupDaily(time.Now())
			switch {
			case err != nil && err.Error() != last:
				s.log.Error("no copy of the database was made today", "error", err)
				last = err.Error()
			case made != "":
				s.log.Info("made the copy of the day", "file", made)
				last = ""
			}
		}
		if !sleep(ctx, time.Hour) {
			return
		}
	}
}

func (l *lab) Backup(w io.Writer) error {
	if err := l.may(model.RoleAdmin); err != nil {
		return err
	}
	return l.s.store.Backup(w)
}

func (l *lab) OpenBackup(r io.Reader) (command.Restoration, error) {
	if err := l.may(model.RoleAdmin); err != nil {
		return command.Restoration{}, err
	}
	copied, err := l.s.store.ReadCopy(r)
	if err != nil {
		return command.Restoration{}, err
	}
	return command.Restoration{
		State: copied.State, Changed: copied.Report.Changed,
		Secrets: func() error { return l.s.store.RestoreSecrets(copied) },
	}, nil
}
