package salt

import (
	"bytes"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/template"

	"homelab/model"
)

// SetupMaster is what Setup writes for.
type SetupMaster struct {
	Master
	Serves  string // model.ServesVMs or model.ServesHypervisors
	Address string // that minions use
}

// SetupOptions are what Setup must know of the lab.
type SetupOptions struct {
	User      string   // who the server runs as, on its own machine
	PublicKey string   // of Master.Identity, as an authorized_keys line; empty if ssh is not used
	Roles     []string // grains to begin top.sls with
	Minions   []string // IDs, to take an example from
}

//go:embed setup.tmpl
var setupText string

var setupTemplate = template.Must(template.New("setup").Parse(setupText))

// Setup says what to put where so that a master works with us, and how to see
// that it does. It changes nothing.
func Setup(m SetupMaster, o SetupOptions) string {
	v := setupView{
		Name: m.Name, Address: m.Address, PKI: m.pki(), Loop: int(defaultLoop.Seconds()),
		VMs: m.Serves != model.ServesHypervisors, Example: "NAME",
		Remote: m.remote(), Sudo: m.sudo(), Host: "this machine", User: o.User, Key: o.PublicKey,
		Script: sudoers(eventScript), Roles: o.Roles,
	}
	if host, user := m.host(); v.Remote {
		v.Host = host
		if user != "" {
			v.User = user
		}
	}
	if v.User == "" {
		v.User = "homelab"
	}
	if i := slices.IndexFunc(o.Minions, func(id string) bool { return CheckID(id) == nil }); i >= 0 {
		v.Example = o.Minions[i]
	}
	v.Way, v.Checks = typed(m.argv("salt-key", "-L", "--out=json")), checks(v.Example)
	var b bytes.Buffer
	if err := setupTemplate.Execute(&b, v); err != nil {
		panic(err) // the template is ours, and so is v
	}
	return b.String()
}

type setupView struct {
	Name, Address, PKI, Host, User, Key, Script, Example, Way string

	Loop              int // seconds
	VMs, Remote, Sudo bool
	Roles             []string
	Checks            []setupCheck
}

type setupCheck struct{ Command, Shows string }

// checks are commands that change nothing, for root on the master, and what
// they show when all is in place.
func checks(example string) []setupCheck {
	return []setupCheck{
		{"salt-run config.get presence_events", "True; so does state_events, and auto_accept and open_mode show False"},
		{"salt-run reactor.list", "salt/minion/*/start and the file above"},
		{"salt-run state.event 'salt/presence/*' count=1 pretty=False", fmt.Sprintf("one line within %d seconds", int(defaultLoop.Seconds()))},
		{"salt-run manage.status timeout=2 gather_job_timeout=2", "who is up, and who is down"},
		{"salt " + example + " state.show_top", "what that minion's role brings it"},
	}
}

// typed is a command line as one types it.
func typed(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = shellQuote(word)
	}
	return strings.Join(words, " ")
}

// sudo tells whether the command line goes through sudo.
func (m Master) sudo() bool {
	return slices.ContainsFunc(m.Reach, func(word string) bool { return path.Base(word) == "sudo" })
}

// host is the last machine on the way, and who logs in there if that is said.
func (m Master) host() (host, user string) {
	for i := 0; i < len(m.Reach); i++ {
		if path.Base(m.Reach[i]) != "ssh" {
			continue
		}
		at := sshHost(m.Reach, i+1)
		for j, word := range m.Reach[i+1 : min(at, len(m.Reach))] {
			if next := i + j + 2; word == "-l" && next < at {
				user = m.Reach[next]
			}
		}
		if at < len(m.Reach) {
			host = m.Reach[at]
		}
		if name, rest, ok := strings.Cut(host, "@"); ok {
			user, host = name, rest
		}
		i = at
	}
	return host, user
}

// sudoers writes arguments as a line of sudoers must have them.
func sudoers(args string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `:`, `\:`, `=`, `\=`).Replace(args)
}
