package local

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"homelab/agent/wire"
)

// stamp is the version of a release, as .ci/package has the linker set it. The
// words around the version let a server find it in a binary for another system.
var stamp string

// Build is what this binary is.
type Build struct {
	Version  string `json:"version"` // the release's, or the commit that it was built from; peers are told it
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from more than the commit
	Time     string `json:"time,omitempty"`     // of the commit, RFC 3339
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Protocol int    `json:"protocol"` // that agent and server speak; neighbours understand each other
}

// ReadBuild tells what this binary is.
func ReadBuild() Build {
	b := Build{Version: wire.ReleaseOf([]byte(stamp)), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Protocol: wire.Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		b.Version = cmp.Or(b.Version, "unknown")
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value[:min(len(s.Value), 12)]
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "GOARM":
			if b.Arch == "arm" {
				b.Arch = "armv" + s.Value[:min(len(s.Value), 1)]
			}
		}
	}
	module := info.Main.Version
	if module == "(devel)" || strings.HasPrefix(module, "v0.0.0-") {
		module = "" // the commit says it shorter
	}
	b.Version = cmp.Or(b.Version, strings.TrimPrefix(module, "v"), b.Commit, "devel")
	return b
}

func (b Build) String() string {
	text := "homelab " + b.Version
	if b.Commit != "" {
		text += " (commit " + b.Commit
		if b.Modified {
			text += " with changes"
		}
		text += " of " + b.Time + ")"
	}
	return fmt.Sprintf("%s %s/%s %s, protocol %d", text, b.OS, b.Arch, b.Go, b.Protocol)
}

// Platform is what it was built for, such as linux_armv7.
func (b Build) Platform() string { return b.OS + "_" + b.Arch }

// Version says what this binary is.
func Version() *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "Say what this binary is",
		Long: "Say what this binary is: its version, the commit that it was built from and its time, the system that it is for, the Go that built it, and the version of the protocol between agent and server.",
		Args: NoArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "answer in JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b := ReadBuild()
		if *asJSON {
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(b)
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), b)
		return err
	}
	return cmd
}
