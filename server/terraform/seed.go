package terraform

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"homelab/agent/wire"
	"homelab/model"
	"homelab/model/userdata"
)

// seeds makes the cloud-init seeds of one hypervisor's guests.
type seeds struct {
	state       *model.State
	settings    model.Settings
	common      string // beginning of every user-data
	fingerprint string // of all that is not the guest's own
}

// userDataCommon is what every guest's user-data begins with.
type userDataCommon struct {
	Users      []any    `yaml:"users"`
	SSHKeys    []text   `yaml:"ssh_authorized_keys,omitempty"` // of the image's own user
	SSHPwauth  bool     `yaml:"ssh_pwauth"`
	Hosts      text     `yaml:"manage_etc_hosts"` // keeps the guest's own name in /etc/hosts
	Timezone   text     `yaml:"timezone,omitempty"`
	Locale     text     `yaml:"locale,omitempty"`
	Packages   []text   `yaml:"packages,flow,omitempty"`
	Growpart   growpart `yaml:"growpart"`
	ResizeRoot bool     `yaml:"resize_rootfs"`
	Boot       [][]text `yaml:"bootcmd,flow"`
}

type growpart struct {
	Mode    text   `yaml:"mode"`
	Devices []text `yaml:"devices,flow"`
}

type user struct {
	Name    text   `yaml:"name"`
	Sudo    text   `yaml:"sudo"`
	Shell   text   `yaml:"shell"`
	Lock    bool   `yaml:"lock_passwd"`
	SSHKeys []text `yaml:"ssh_authorized_keys,omitempty"`
}

// userData is what follows it, the guest's own. No key is in both.
type userData struct {
	Hostname text     `yaml:"hostname"`
	Mounts   [][]text `yaml:"mounts,flow,omitempty"`
	Apt      *apt     `yaml:"apt,omitempty"`
	Salt     *salt    `yaml:"salt_minion,omitempty"`
	Run      [][]text `yaml:"runcmd,flow,omitempty"`
}

// apt tells where the minion's package comes from.
type apt struct {
	Sources map[string]aptSource `yaml:"sources"`
}

type aptSource struct {
	Source text `yaml:"source"`
	Key    text `yaml:"key,omitempty"`
}

// salt is what cloud-init writes for the minion. It writes keys only where both
// are given; where they go is said, as its own idea of it depends on what is
// installed.
type salt struct {
	Conf    minion `yaml:"conf"`
	Grains  grains `yaml:"grains"`
	PKI     text   `yaml:"pki_dir,omitempty"`
	Public  string `yaml:"public_key,omitempty"` // in PEM, which no reader of YAML mistakes
	Private string `yaml:"private_key,omitempty"`
}

// pkiDir is where minions look for their keys.
const pkiDir = "/etc/salt/pki/minion"

// newSalt is what makes a guest a minion; the user-data gets the rest of it.
func newSalt(g guest, data *userData) {
	host := model.HostName(g.Name, g.Hypervisor)
	data.Salt = &salt{
		Conf:   newMinion(g.master, host),
		Grains: grains{Role: text(g.role), Hypervisor: text(g.Hypervisor)},
	}
	if g.repository != "" {
		data.Apt = &apt{map[string]aptSource{"salt.list": {text(g.repository), text(g.repositoryKey)}}}
	}
	if g.minion.Private != "" && g.minion.Public != "" {
		data.Salt.PKI, data.Salt.Public, data.Salt.Private = pkiDir, g.minion.Public, g.minion.Private
		// cloud-init leaves it readable to all.
		data.Run = [][]text{{"chmod", "0400", pkiDir + "/minion.pem"}}
	}
}

type grains struct {
	Role       text `yaml:"role,omitempty"`
	Hypervisor text `yaml:"hypervisor"`
}

// minion is the configuration of a Salt minion. It notices within two minutes
// that its master is gone, and a master that comes back is not met by all
// minions at once.
type minion struct {
	Master             text `yaml:"master"`
	ID                 text `yaml:"id"`
	TCPKeepalive       bool `yaml:"tcp_keepalive"`
	TCPKeepaliveIdle   int  `yaml:"tcp_keepalive_idle"`
	TCPKeepaliveCnt    int  `yaml:"tcp_keepalive_cnt"`
	TCPKeepaliveIntvl  int  `yaml:"tcp_keepalive_intvl"`
	ReconDefault       int  `yaml:"recon_default"`
	ReconMax           int  `yaml:"recon_max"`
	ReconRandomize     bool `yaml:"recon_randomize"`
	AcceptanceWaitTime int  `yaml:"acceptance_wait_time"`
	RandomReauthDelay  int  `yaml:"random_reauth_delay"`
	AuthTimeout        int  `yaml:"auth_timeout"`
}

func newMinion(master, id string) minion {
	return minion{
		Master: text(master), ID: text(id),
		TCPKeepalive: true, TCPKeepaliveIdle: 30, TCPKeepaliveCnt: 5, TCPKeepaliveIntvl: 30,
		ReconDefault: 1000, ReconMax: 59000, ReconRandomize: true,
		AcceptanceWaitTime: 120, RandomReauthDelay: 90, AuthTimeout: 120,
	}
}

type metaData struct {
	InstanceID    text `yaml:"instance-id"`
	LocalHostname text `yaml:"local-hostname"`
}

// writeHosts replaces homelab's lines in /etc/hosts by its arguments. It runs at
// each boot, so that guests follow whatever lies in their seed by then.
const writeHosts = `sed -i '/^# homelab: begin$/,/^# homelab: end$/d' /etc/hosts
[ $# -eq 0 ] || printf '%s\n' '# homelab: begin' "$@" '# homelab: end' >>/etc/hosts`

func newSeeds(state *model.State) (seeds, error) {
	s := state.Settings
	common := userDataCommon{
		Users: []any{text("default")}, Hosts: "localhost", Timezone: text(s.Timezone), Locale: text(s.Locale), Packages: texts(s.Packages),
		Growpart: growpart{Mode: "auto", Devices: []text{"/"}}, ResizeRoot: true,
		Boot: [][]text{append([]text{"sh", "-c", writeHosts, "hosts"}, texts(state.GuestHosts())...)},
	}
	if s.GuestUser == "" {
		common.SSHKeys = texts(s.SSHKeys)
	} else {
		common.Users = append(common.Users, user{
			Name: text(s.GuestUser), Sudo: "ALL=(ALL) NOPASSWD:ALL", Shell: "/bin/bash",
			Lock: true, SSHKeys: texts(s.SSHKeys),
		})
	}
	b, err := yaml.Marshal(common)
	if err != nil {
		return seeds{}, err
	}
	all := seeds{state: state, settings: s, common: userdata.Header + "\n" + string(b)}
	all.fingerprint = short(all.common, s.Gateway, strings.Join(s.DNS, "\x00"), strings.Join(s.Search, "\x00"))
	return all, nil
}

// nfsClient sees to it that shares can be mounted. It is no package for
// cloud-init to install, because its name is another in each distribution and
// cloud-init mounts before it installs. The target starts what mounts on demand.
const nfsClient = `command -v mount.nfs >/dev/null ||
if command -v apt-get >/dev/null; then apt-get update; DEBIAN_FRONTEND=noninteractive apt-get install -y nfs-common
elif command -v dnf >/dev/null; then dnf install -y nfs-utils
elif command -v pacman >/dev/null; then pacman -Sy --noconfirm nfs-utils
elif command -v zypper >/dev/null; then zypper --non-interactive install nfs-client
fi
systemctl daemon-reload && systemctl start remote-fs.target`

// mount has a guest mount its shares on demand.
func (s seeds) mount(g guest, data *userData) error {
	for _, name := range s.state.VMs[g.Name].Shares {
		share, ok := s.state.Shares[name]
		if !ok {
			return fmt.Errorf("there is no share named %q", name)
		}
		data.Mounts = append(data.Mounts, []text{text(share.Source()), text(share.Mount), "nfs", text(share.MountOptions()), "0", "0"})
	}
	if len(data.Mounts) > 0 {
		data.Run = append(data.Run, []text{"sh", "-c", nfsClient})
	}
	return nil
}

// withRole is a guest's whole user-data with what its role adds; empty if that
// is nothing.
func (s seeds) withRole(g guest, own string) (string, error) {
	role := s.state.Roles[g.role]
	var more []*userdata.Document
	if len(role.Packages) > 0 {
		more = append(more, userdata.Packages(role.Packages))
	}
	if role.UserData != "" {
		doc, err := userdata.Parse(role.UserData)
		if err != nil {
			return "", fmt.Errorf("the user-data of role %q %w", g.role, err)
		}
		more = append(more, doc)
	}
	if len(more) == 0 {
		return "", nil
	}
	whole, err := userdata.Merge(s.common+own, more...)
	if err != nil {
		return "", fmt.Errorf("the user-data of role %q: %w", g.role, err)
	}
	return whole, nil
}

// of makes the seed of a guest, its user-data without the common beginning
// unless its role adds to that.
func (s seeds) of(g guest) (wire.Seed, error) {
	host := model.HostName(g.Name, g.Hypervisor)
	data := userData{Hostname: text(host)}
	if g.master != "" {
		newSalt(g, &data)
	}
	if err := s.mount(g, &data); err != nil {
		return wire.Seed{}, err
	}
	network, err := s.network(g)
	if err != nil {
		return wire.Seed{}, err
	}
	meta := metaData{InstanceID: text(fmt.Sprintf("%s-%d", g.ID, g.Rebuild)), LocalHostname: text(host)}
	var files [3][]byte
	for i, v := range []any{data, meta, network} {
		if files[i], err = yaml.Marshal(v); err != nil {
			return wire.Seed{}, fmt.Errorf("seed: %w", err)
		}
	}
	whole, err := s.withRole(g, string(files[0]))
	if err != nil {
		return wire.Seed{}, err
	}
	return wire.Seed{UserData: cmp.Or(whole, string(files[0])), MetaData: string(files[1]), NetworkConfig: string(files[2])}, nil
}

// hash names a seed by its content.
func (s seeds) hash(seed wire.Seed) string {
	return short(s.common+seed.UserData, seed.MetaData, seed.NetworkConfig)
}
