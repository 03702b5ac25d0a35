package command

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"homelab/agent/wire"
	"homelab/model"
)

// configJSON is a rendered config.
type configJSON struct {
	Hypervisor string       `json:"hypervisor"`
	Digest     string       `json:"digest"`
	Files      []configFile `json:"files"`
}

type configFile struct {
	Name    string `json:"name"`
	Content string `json:"content"`
}

func configCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config NAME",
		Short: "The Terraform that a hypervisor's agent gets",
		Long: `Write the files that the agent of a hypervisor gets: Terraform, and the seed of
each guest, without their private keys. --tar writes the very bytes, for: tar x`,
		Example:           "config thinkpad\nconfig thinkpad --tar | tar x",
		Args:              exactly("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindHypervisor, false),
	}
	asTar := cmd.Flags().Bool("tar", false, "the tar itself")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindHypervisor, args[0]); err != nil {
			return err
		}
		switch {
		case *asTar && *asJSON:
			return &usageError{err: errors.New("--tar and --json do not go together"), hint: seeHelp(cmd)}
		case *asTar && s.io.PTY:
			return usagef("a tar is no text for a terminal: leave ssh's -t away and redirect it, or leave --tar away")
		}
		config, err := s.lab.Config(args[0])
		if err != nil {
			return err
		}
		if *asTar {
			_, err := s.io.Out.Write(config)
			return err
		}
		files, err := untar(config)
		if err != nil {
			return err
		}
		if *asJSON {
			sum := sha256.Sum256(config)
			return s.printJSON(configJSON{args[0], hex.EncodeToString(sum[:]), files})
		}
		for i, f := range manifestLast(files) {
			if i > 0 {
				s.sayf("")
			}
			s.sayf("%s", s.paint(bold, "# "+clean(f.Name)))
			write(s.io.Out, cleanText(f.Content))
		}
		return nil
	}
	return cmd
}

// manifestLast is for people: what they look for is Terraform.
func manifestLast(files []configFile) []configFile {
	var first, last []configFile
	for _, f := range files {
		if f.Name != wire.ManifestFile {
			first = append(first, f)
			continue
		}
		var b bytes.Buffer
		if json.Indent(&b, []byte(f.Content), "", "  ") == nil {
			f.Content = strings.TrimSpace(b.String()) + "\n"
		}
		last = append(last, f)
	}
	return append(first, last...)
}

// untar is the files of a config, without secrets.
func untar(config []byte) ([]configFile, error) {
	files := []configFile{}
	for r := tar.NewReader(bytes.NewReader(config)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the rendered config cannot be read: %w", err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("the rendered config cannot be read: %w", err)
		}
		files = append(files, configFile{header.Name, model.WithoutKeys(string(content))})
	}
}
