package server

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"homelab/model"
	"homelab/server/salt"
)

// What a master said of states applied earlier it does not say again: a file
// for each master keeps it over a restart of the server. It may be lost.

func (a *salts) memory(master string) string {
	return filepath.Join(a.s.opts.Data, "salt_"+master+".json")
}

// recall is what was known of a master's minions when the server stopped.
func (a *salts) recall(master string) map[string]model.SaltStatus {
	text, err := os.ReadFile(a.memory(master))
	if err != nil {
		return nil
	}
	var known map[string]model.SaltStatus
	if json.Unmarshal(text, &known) != nil {
		return nil
	}
	return known
}

// remember writes down what is known if there is a new result in it. It is
// called for one snapshot of a master after the other.
func (a *salts) remember(master string, snap salt.Snapshot, written map[string]string) {
	news := false
	for id, st := range snap.Minions {
		if st.Result != nil && written[id] != st.Result.Job {
			written[id], news = st.Result.Job, true
		}
	}
	if !news {
		return
	}
	text, err := json.Marshal(snap.Minions)
	if err == nil {
		err = renameio.WriteFile(a.memory(master), text, 0o600)
	}
	if err != nil {
		a.s.log.Warn("what a Salt master said cannot be kept", "master", master, "error", err)
	}
}
