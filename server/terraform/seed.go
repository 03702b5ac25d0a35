package terraform

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"homelab/agent/wire"
	"homelab/model"
)

// seeds makes the cloud-init seeds of one hypervisor's guests.
type seeds struct {
	settings    model.Settings
	common      string // beginning of every user-data
	fingerprint string // of all that is not the guest's own
}

// userDataCommon is what every guest's user-data begins with.
type userDataCommon struct {
	Users      []any    `yaml:"users"`
	SSHKeys    []text   `yaml:"ssh_authorized_keys,omitempty"` // of the image's own user
	SSHPwauth  bool     `yaml:"ssh_pwauth"`
	Timezone   text     `yaml:"timezone,omitempty"`
	Growpart   growpart `yaml:"growpart"`
	ResizeRoot bool     `yaml:"resize_rootfs"`
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

func newSeeds(s model.Settings) (seeds, error) {
	common := userDataCommon{
		Users: []any{text("default")}, Timezone: text(s.Timezone),
		Growpart: growpart{Mode: "auto", Devices: []text{"/"}}, ResizeRoot: true,
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
	all := seeds{settings: s, common: "#cloud-config\n" + string(b)}
	all.fingerprint = short(all.common, s.Gateway, strings.Join(s.DNS, "\x00"), strings.Join(s.Search, "\x00"))
	return all, nil
}

// of makes the seed of a guest, its user-data without the common beginning.
func (s seeds) of(g guest) (wire.Seed, error) {
	host := model.HostName(g.Name, g.Hypervisor)
	data := userData{Hostname: text(host)}
	if g.master != "" {
		newSalt(g, &data)
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
	return wire.Seed{UserData: string(files[0]), MetaData: string(files[1]), NetworkConfig: string(files[2])}, nil
}

// hash names a seed by its content.
func (s seeds) hash(seed wire.Seed) string {
	return short(s.common+seed.UserData, seed.MetaData, seed.NetworkConfig)
}
