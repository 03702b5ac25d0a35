package command

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"homelab/model"
)

type keyJSON struct {
	User string `json:"user"`
	model.Key
}

func keyCommand(s *session) *cobra.Command {
	return parent(
		&cobra.Command{Use: "key", Aliases: []string{"keys"}, Short: "The keys with which users connect"},
		listKeys(s), addKey(s), editKey(s), removeKey(s),
	)
}

func listKeys(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [USER]", Aliases: []string{"ls"}, Short: "List the keys of one user or of all",
		Example: "key list\nkey list alice --json", Args: atMost("USER"), ValidArgsFunction: s.nameArgs(model.KindUser, false),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindUser, args...); err != nil {
			return err
		}
		keys := []keyJSON{}
		t := &table{header: []string{"user", "key", "type", "fingerprint", "options", "added"}}
		for _, name := range model.Names(s.state().Users) {
			if len(args) > 0 && args[0] != name {
				continue
			}
			for _, k := range s.state().Users[name].Keys {
				keys = append(keys, keyJSON{name, k})
				kind, _, _ := strings.Cut(k.PublicKey, " ")
				t.add(cell{text: name}, cell{text: cut(k.Name, 40)}, cell{text: kind}, cell{text: k.Fingerprint}, s.optionsCell(k), cell{text: s.age(k.Added)})
			}
		}
		switch {
		case *asJSON:
			return s.printJSON(keys)
		case len(keys) == 0:
			s.notef("there are no keys")
		default:
			s.printTable(t)
		}
		return nil
	}
	return cmd
}

func addKey(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add USER [KEY]",
		Short: "Let a user connect with a key",
		Long: `Let a user connect with public keys, given as an argument or on standard input,
as they stand in a file that ends in .pub or in authorized_keys, where options
stand before them: from="192.168.1.0/24,!192.168.1.9", expiry-time="20270131Z"
and restrict, which the flags set too. A restricted key runs commands and has no
terminal, so it opens no dashboard and is asked nothing.`,
		Example:           "key add alice < ~/.ssh/id_ed25519.pub\nkey add alice ssh-ed25519 AAAAC3Nz… alice@laptop\nkey add backup --restrict --from 192.168.1.9 < backup.pub",
		Args:              some("USER"),
		ValidArgsFunction: s.nameArgs(model.KindUser, false),
	}
	opts := mutating(cmd)
	f := keyOptions(s, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindUser, args[0]); err != nil {
			return err
		}
		text := []byte(strings.Join(args[1:], " "))
		if len(args) == 1 {
			var err error
			if text, err = s.input("a public key", 64<<10); err != nil {
				return err
			}
		}
		added, err := s.parseKeys(text)
		if err != nil {
			return err
		}
		for i := range added {
			if err := f.apply(&added[i]); err != nil {
				return err
			}
		}
		known := map[string]bool{} // with those that are added
		for _, k := range slices.Concat(s.state().Users[args[0]].Keys, added) {
			known[k.Fingerprint] = true
		}
		return s.commit(cmd.Context(), opts, change{
			edit: model.Change(args[0], 0, func(u *model.User) error {
				for _, k := range added {
					at := slices.IndexFunc(u.Keys, func(other model.Key) bool { return other.Fingerprint == k.Fingerprint })
					switch {
					case at < 0:
						u.Keys = append(slices.Clone(u.Keys), k)
					case u.Keys[at].Options() != k.Options():
						return hint(fmt.Errorf("user %s has that key already, with other options", u.Name), "change them with: key edit %s %s", shellQuote(u.Name), k.Fingerprint)
					}
				}
				return nil
			}),
			done: fmt.Sprintf("user %s may connect with %s", args[0], count(len(known), "key", "keys")),
			same: fmt.Sprintf("user %s may connect with that", args[0]),
			then: func(bool) error { s.noteExpired(args[0]); return nil },
		})
	}
	return cmd
}

// parseKeys reads lines of public keys.
func (s *session) parseKeys(text []byte) ([]model.Key, error) {
	var found []model.Key
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.Contains(line, "PRIVATE KEY") {
			return nil, s.noKey(errors.New("that is a private key: keep it to yourself"))
		}
		key, err := model.ParseKeyLine(line)
		if err != nil {
			return nil, s.noKey(err)
		}
		key.Added = s.now().UTC()
		found = append(found, key)
	}
	if len(found) == 0 {
		return nil, s.noKey(errors.New("no public key was given"))
	}
	return found, nil
}

// noKey says what a key looks like.
func (s *session) noKey(err error) error {
	const advice = "give a whole line, as it stands in a file that ends in .pub: ssh-ed25519 AAAAC3Nz… name"
	if s.untyped {
		return hint(err, advice)
	}
	return &usageError{err, advice}
}

// keyOptions are the flags that set a key's options.
func keyOptions(s *session, cmd *cobra.Command) *fields[model.Key] {
	f := newFields[model.Key](s, cmd)
	f.list("from", "addresses and networks that it may be used from, such as 192.168.1.0/24; ! before one leaves it out", func(k *model.Key) *[]string { return &k.From })
	f.try("from", func(k *model.Key) error { // a key that is read from standard input would take the blame
		if err := model.CheckFrom(k.From); err != nil {
			return usagef("--from: %w", err)
		}
		return nil
	})
	expires := cmd.Flags().String("expires", "", "when it ends: a date such as 2027-01-31, or a time in RFC 3339; never clears it")
	f.try("expires", func(k *model.Key) (err error) {
		if k.Expires = (time.Time{}); *expires == "" || *expires == "never" {
			return nil
		}
		if k.Expires, err = model.ParseExpiry(*expires); err != nil {
			return &usageError{err: err}
		}
		return nil
	})
	f.truth("restrict", "commands only: no terminal, so no dashboard", func(k *model.Key) *bool { return &k.Restrict })
	return f
}

// optionsCell says a key's options; one that has expired stands out.
func (s *session) optionsCell(k model.Key) cell {
	if !k.Expires.IsZero() && !s.now().Before(k.Expires) {
		return cell{"expired " + s.age(k.Expires) + " ago", yellow}
	}
	return cell{text: or(k.Options(), "none")}
}

func editKey(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "edit USER KEY", Short: "Change a key's name or options",
		Long:              "Change a key's name, or from where and until when it may be used and for what. KEY is its name or its fingerprint.",
		Example:           "key edit alice alice@laptop --expires 2027-01-31\nkey edit alice SHA256:… --from '' --restrict=false",
		Args:              exactly("USER", "KEY"),
		ValidArgsFunction: s.keyArgs,
	}
	opts := mutating(cmd)
	f := keyOptions(s, cmd)
	f.text("name", "another name", func(k *model.Key) *string { return &k.Name })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !f.some() {
			return &usageError{err: errors.New("nothing to change was given"), hint: seeHelp(cmd)}
		}
		return s.commit(cmd.Context(), opts, change{
			edit: model.Change(args[0], 0, func(u *model.User) error {
				at, err := findKey(u, args[1])
				if err != nil {
					return err
				}
				u.Keys = slices.Clone(u.Keys)
				k := &u.Keys[at]
				if err := f.apply(k); err != nil {
					return err
				}
				if k.Name == "" { // as of one that came without
					k.Name = k.Fingerprint[:min(len(k.Fingerprint), 15)]
				}
				return nil
			}),
			done: fmt.Sprintf("key %s of user %s is changed", args[1], args[0]), same: fmt.Sprintf("key %s of user %s is like that", args[1], args[0]),
			then: func(bool) error { s.noteExpired(args[0]); return nil },
		})
	}
	return cmd
}

// noteExpired says which keys of a user let nobody in any more.
func (s *session) noteExpired(user string) {
	for _, k := range s.state().Users[user].Keys {
		if !k.Expires.IsZero() && !s.now().Before(k.Expires) {
			s.notef("note: key %s has expired, and lets nobody in: key edit %s %s --expires never", clean(cut(k.Name, 60)), clean(user), k.Fingerprint)
		}
	}
}

// keyArgs completes USER KEY.
func (s *session) keyArgs(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return s.nameArgs(model.KindUser, false)(cmd, args, prefix)
	}
	var names []string
	for _, k := range s.state().Users[args[0]].Keys {
		names = append(names, k.Fingerprint)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func removeKey(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove USER KEY", Aliases: []string{"rm"}, Short: "Take a key from a user",
		Long:              "Take a key from a user. KEY is its name or its fingerprint.",
		Example:           "key remove alice alice@laptop\nkey remove alice SHA256:…",
		Args:              exactly("USER", "KEY"),
		ValidArgsFunction: s.keyArgs,
	}
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c := change{
			edit: model.Change(args[0], 0, func(u *model.User) error { return dropKey(u, args[1]) }),
			done: fmt.Sprintf("user %s may connect with key %s no longer", args[0], args[1]),
		}
		if u := s.state().Users[args[0]]; len(u.Keys) == 1 {
			c.ask = []string{fmt.Sprintf("it is the only key of %s, who could connect no longer", u.Name)}
		}
		return s.commit(cmd.Context(), opts, c)
	}
	return cmd
}

func dropKey(u *model.User, key string) error {
	at, err := findKey(u, key)
	if err != nil {
		return err
	}
	u.Keys = slices.Delete(slices.Clone(u.Keys), at, at+1)
	return nil
}

// findKey finds a user's key by its name or its fingerprint.
func findKey(u *model.User, key string) (int, error) {
	var at []int
	for i, k := range u.Keys {
		if k.Fingerprint == key || k.Name == key {
			at = append(at, i)
		}
	}
	switch len(at) {
	case 0:
		return 0, hint(fmt.Errorf("user %s has no key %q", u.Name, cut(key, 60)), "see them with: key list %s", shellQuote(u.Name))
	case 1:
		return at[0], nil
	}
	return 0, hint(fmt.Errorf("user %s has %d keys named %q", u.Name, len(at), cut(key, 60)), "give the fingerprint: key list %s", shellQuote(u.Name))
}

// input reads standard input whole, up to a limit.
func (s *session) input(what string, limit int64) ([]byte, error) {
	if s.io.PTY {
		return nil, usagef("%s is read from standard input: leave ssh's -t away and redirect a file with <", what)
	}
	text, err := io.ReadAll(io.LimitReader(s.io.In, limit+1))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	s.untyped = true
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("standard input is too much: %s is at most %d KiB", what, limit>>10)
	}
	return text, nil
}
