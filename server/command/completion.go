package command

import (
	"embed"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// The scripts ask the server itself what could come next, over a connection
// that ssh keeps open for a minute.
//
//go:embed completion
var completionScripts embed.FS

func completionCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "A shell function with completion, to install at home",
		Long: `Write a script for your shell. It defines a function, lab, that runs commands here
over ssh, and completes its words by asking this server: nouns, verbs, flags, and
the names of your VMs. Install it once:

  ssh homelab.lan completion bash > ~/.local/share/bash-completion/completions/lab
  echo '. ~/.local/share/bash-completion/completions/lab' >> ~/.bashrc

  ssh homelab.lan completion zsh > ~/.homelab.zsh
  echo '. ~/.homelab.zsh' >> ~/.zshrc         (after compinit)

  ssh homelab.lan completion fish > ~/.config/fish/conf.d/lab.fish

Then: lab vm st<TAB>. Without words, lab opens the dashboard. --host says how ssh
reaches this server: a name from your ssh config, or host:port.`,
		Example:   "completion bash\ncompletion zsh --host homelab.lan --name hl",
		Args:      exactly("bash, zsh or fish"),
		ValidArgs: []string{"bash", "zsh", "fish"},
	}
	host := cmd.Flags().String("host", "", "how ssh reaches this server (default: the address of this connection)")
	name := cmd.Flags().String("name", "lab", "the name of the function")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !functionName.MatchString(*name) {
			return usagef("--name %q is no name of a function: letters, digits and _", cut(*name, 60))
		}
		words, err := sshWords(or(*host, s.io.Address))
		if err != nil {
			return err
		}
		script, err := completionScripts.ReadFile("completion/" + strings.ReplaceAll(args[0], "/", "") + ".sh")
		if err != nil {
			return &usageError{err: fmt.Errorf("there is no completion for %q: bash, zsh and fish have one", cut(args[0], 60)), hint: seeHelp(cmd)}
		}
		write(s.io.Out, strings.NewReplacer("@NAME@", *name, "@HOST@", words).Replace(string(script)))
		return nil
	}
	return cmd
}

var (
	functionName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,40}$`)
	hostName     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:%@-]{0,254}$`)
	portNumber   = regexp.MustCompile(`^[0-9]{1,5}$`)
)

// sshWords are the words after ssh that reach an address, such as
// "-p 2222 homelab.lan".
func sshWords(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), ""
	}
	if !hostName.MatchString(host) || port != "" && !portNumber.MatchString(port) {
		return "", usagef("%q is no host: say with --host how ssh reaches this server", cut(address, 60))
	}
	if port == "" || port == "22" {
		return host, nil
	}
	return "-p " + port + " " + host, nil
}
