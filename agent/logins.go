package agent

import (
	"os"
	"path/filepath"
)

// sessionFolder is where systemd's logind says who is logged in, in files that
// sd_session_get_class(3) reads.
var sessionFolder = "/run/systemd/sessions"

// logins counts the sessions of people on this machine: those of the manager
// and of greeters are nobody's. It is 0 where there is no logind.
func logins() int {
	files, err := os.ReadDir(sessionFolder)
	if err != nil {
		return 0
	}
	n := 0
	for _, f := range files {
		path := filepath.Join(sessionFolder, f.Name())
		if f.Type().IsRegular() && fileField(path, "CLASS=") == "user" && fileField(path, "STATE=") != "closing" {
			n++
		}
	}
	return n
}
