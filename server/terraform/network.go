package terraform

import (
	"cmp"
	"fmt"
	"strings"

	"homelab/model"
)

// networkConfig is cloud-init's network configuration, version 2.
type networkConfig struct {
	Version   int                 `yaml:"version"`
	Ethernets map[string]ethernet `yaml:"ethernets"`
}

type ethernet struct {
	Match       match        `yaml:"match"`
	SetName     text         `yaml:"set-name"` // older cloud-inits take the key for the name without it
	DHCP4       bool         `yaml:"dhcp4,omitempty"`
	Optional    bool         `yaml:"optional,omitempty"` // a boot does not wait for it
	Addresses   []text       `yaml:"addresses,flow,omitempty"`
	Routes      []route      `yaml:"routes,omitempty"`
	Nameservers *nameservers `yaml:"nameservers,omitempty"`
}

type match struct {
	MAC text `yaml:"macaddress"`
}

type route struct {
	To  text `yaml:"to"`
	Via text `yaml:"via"`
}

type nameservers struct {
	Addresses []text `yaml:"addresses,flow,omitempty"`
	Search    []text `yaml:"search,flow,omitempty"`
}

// network configures a guest's NICs: the first has the VM's address, or asks
// for one; the others ask and are not waited for.
func (s seeds) network(g guest) (networkConfig, error) {
	n := networkConfig{Version: 2, Ethernets: make(map[string]ethernet, g.NICs)}
	for i := range g.NICs {
		name := fmt.Sprintf("nic%d", i)
		e := ethernet{Match: match{text(model.MAC(g.ID, i))}, SetName: text(name)}
		if i == 0 && g.ip != "" {
			if err := s.static(&e, g); err != nil {
				return networkConfig{}, err
			}
		} else {
			e.DHCP4, e.Optional = true, i > 0
		}
		n.Ethernets[name] = e
	}
	return n, nil
}

// static gives a NIC its address. Name servers that nobody named are the
// gateway, as in most homes.
func (s seeds) static(e *ethernet, g guest) error {
	p, err := model.ParseIP(g.ip)
	if err != nil {
		return err
	}
	e.Addresses = []text{text(p.String())}
	dns := texts(s.settings.DNS)
	if g.dns != "" {
		dns = texts(strings.Split(g.dns, ","))
	}
	if gateway := model.Gateway(p, cmp.Or(g.gateway, s.settings.Gateway)); gateway.IsValid() {
		e.Routes = []route{{To: "default", Via: text(gateway.String())}}
		if len(dns) == 0 {
			dns = []text{text(gateway.String())}
		}
	}
	if search := texts(s.settings.Search); len(dns)+len(search) > 0 {
		e.Nameservers = &nameservers{Addresses: dns, Search: search}
	}
	return nil
}
