package model

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

func (c *checker) settings(v Settings) {
	c.ref = Ref{KindSettings, string(KindSettings)}
	c.rule(isUnixUser(v.GuestUser), "guest_user", v.GuestUser, "must be 1 to 32 of a-z, 0-9, - and _, beginning with a letter or _")
	seen := map[string]bool{}
	for _, line := range v.SSHKeys {
		_, fingerprint, _, err := ParseKey(line)
		if err != nil {
			c.rule(false, "ssh_keys", line, "is no public key: "+err.Error())
			continue
		}
		c.rule(!seen[fingerprint], "ssh_keys", line, "is there twice")
		seen[fingerprint] = true
	}
	if v.Gateway != "" {
		c.ip("gateway", v.Gateway)
	}
	c.distinct("dns", v.DNS)
	for _, a := range v.DNS {
		c.ip("dns", a)
	}
	c.distinct("search", v.Search)
	for _, d := range v.Search {
		c.rule(isDomain(d), "search", d, "must be a DNS domain")
	}
	if v.SaltMaster != "" {
		m, ok := c.s.SaltMasters[v.SaltMaster]
		c.refers(ok, "salt_master", Ref{KindSaltMaster, v.SaltMaster})
		c.rule(m.ServesVMs(), "salt_master", v.SaltMaster, ruleServesVMs)
	}
	c.rule(v.Timezone == "" || isTimezone(v.Timezone), "timezone", v.Timezone, "must be the name of a time zone, such as Europe/Amsterdam")
	c.rule(v.Locale == "" || localePattern.MatchString(v.Locale), "locale", v.Locale, "must be the name of a locale, such as en_US.UTF-8 or C.UTF-8")
	c.packages(v.Packages)
	for field, seconds := range map[string]int{"guest_grace_seconds": v.GuestGraceSeconds, "power_grace_seconds": v.PowerGraceSeconds} {
		c.rule(seconds == 0 || seconds >= 5 && seconds <= 3600, field, fmt.Sprint(seconds), "must be from 5 to 3600, or 0 for the default")
	}
	c.rule(v.PriceKWh >= 0 && v.PriceKWh <= 1e6, "price_kwh", fmt.Sprint(v.PriceKWh), "must be 0 or more, in the currency's unit")
	c.rule(len(v.Currency) <= 12 && (v.Currency == "" || isText(v.Currency, 12)), "currency", v.Currency, "must be a short word, such as EUR")
	for _, arg := range v.NotifyCommand {
		c.rule(isText(arg, 4096), "notify_command", arg, ruleText)
	}
	c.within("notify_per_hour", v.NotifyPerHour, 0, 1000)
	c.within("notify_patience_seconds", v.NotifyPatience, 0, 86400)
	c.certificates(v)
}

func (c *checker) ip(field, value string) {
	a, err := netip.ParseAddr(value)
	c.rule(err == nil && a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast(), field, value, "must be an IP address")
}

func (c *checker) profiles() {
	var active []string
	each(c, KindProfile, c.s.Profiles, func(p Profile) {
		c.rule(isName(p.Name), "name", p.Name, ruleName)
		if p.Active {
			active = append(active, p.Name)
		}
	})
	switch {
	case len(active) == 0:
		c.errs = append(c.errs, fmt.Errorf("no profile is active, and exactly one must be; activate another one before removing this one"))
	case len(active) > 1:
		c.ref = Ref{KindProfile, active[1]}
		c.rule(false, "active", "true", fmt.Sprintf("is so of profile %q already; exactly one is active", active[0]))
	}
}

func (c *checker) saltMaster(m SaltMaster) {
	c.rule(isName(m.Name), "name", m.Name, ruleName)
	c.rule(isHost(m.Address), "address", m.Address, ruleHost)
	if m.Serves != "" {
		c.oneOf("serves", m.Serves, ServesVMs, ServesHypervisors)
	}
	for _, word := range m.Reach {
		c.rule(word != "" && isText(word, 255) && !strings.ContainsAny(word, " \t*?[]{}$`'\"\\;&|<>()!#~"), "reach", word, "must be words without spaces and without what a shell would read, such as: ssh pi2 sudo -n")
	}
	if len(m.Reach) > 0 {
		c.rule(!strings.HasPrefix(m.Reach[0], "-"), "reach", m.Reach[0], "must begin with a program, such as sudo or ssh")
	}
	c.rule(m.Repository == "" || strings.HasPrefix(m.Repository, "deb ") && isText(m.Repository, 512), "repository", m.Repository, "must be one line of apt's sources, such as: deb https://… stable main")
	c.rule(m.RepositoryKey == "" || isBody(m.RepositoryKey, 16<<10) && strings.HasPrefix(m.RepositoryKey, "-----BEGIN PGP PUBLIC KEY BLOCK-----"), "repository_key", m.RepositoryKey, "must be a public key of PGP as text, beginning with -----BEGIN PGP PUBLIC KEY BLOCK-----")
	c.rule(m.RepositoryKey == "" || m.Repository != "", "repository_key", m.RepositoryKey, "signs nothing: set the repository too")
}

func (c *checker) hypervisor(h Hypervisor) {
	c.rule(isLabel(h.Name), "name", h.Name, ruleLabel)
	c.oneOf("platform", h.Platform, PlatformLibvirt, PlatformSandbox)
	c.oneOf("accel", h.Accel, AccelAuto, AccelKVM, AccelTCG)
	c.oneOf("policy", h.Policy, PolicyAuto, PolicyReview)
	c.oneOf("power_wanted", h.PowerWanted, PowerWantedNone, PowerWantedOn, PowerWantedOff)
	c.oneOf("power_policy", h.PowerPolicy, PowerManual, PowerProfile, PowerSchedule, "")
	c.schedules(h)
	c.rule(h.IdleMinutes >= 0 && h.IdleMinutes <= 7*24*60, "idle_minutes", fmt.Sprint(h.IdleMinutes), "must be from 0, which is never, to 10080, a week")
	c.network(h.Network)
	c.pools(h.Pools)
	c.distinct("outlets", h.Outlets)
	for _, o := range h.Outlets {
		_, ok := c.s.Outlets[o]
		c.refers(ok, "outlets", Ref{KindOutlet, o})
	}
	c.rule(h.Address == "" || isHost(h.Address), "address", h.Address, ruleHost)
}

func (c *checker) schedules(h Hypervisor) {
	c.distinct("schedules", h.Schedules)
	for _, text := range h.Schedules {
		if _, err := ParseSchedule(text); err != nil {
			c.rule(false, "schedules", text, err.Error())
		}
	}
	c.rule(h.PowerPolicy != PowerSchedule || len(h.Schedules) > 0, "schedules", "", "must have one: the power policy is schedule")
}

func (c *checker) network(network string) {
	kind, name, err := SplitNetwork(network)
	if !c.rule(err == nil, "network", network, "must be macvtap:INTERFACE, bridge:NAME or nat:NETWORK") {
		return
	}
	most, what := 15, "an interface"
	if kind == NetworkNAT {
		most, what = 63, "a network of libvirt"
	}
	if !isInterface(name, most) {
		c.rule(false, "network", network, fmt.Sprintf("must name %s by 1 to %d letters, digits, -, . and _", what, most))
	}
}

func (c *checker) pools(pools []Pool) {
	isDefault := func(p Pool) bool { return p.Name == DefaultPool }
	c.rule(slices.ContainsFunc(pools, isDefault), "pools", "", "must have one named default: images and root disks lie there")
	for i, p := range pools {
		c.rule(isName(p.Name), "pools", p.Name, ruleName)
		c.rule(isPath(p.Path), "pools", p.Path, rulePath)
		c.rule(p.NFS == "" || isExport(p.NFS), "pools", p.NFS, "must be HOST:/EXPORT, the host a name or an IPv4 address")
		c.rule(p.NFS == "" || p.TmpfsMiB == 0, "pools", p.Name, "is either an NFS export or a tmpfs")
		c.rule(p.TmpfsMiB == 0 || p.TmpfsMiB >= minMemoryMiB && p.TmpfsMiB <= maxMemoryMiB, "pools", p.Name, fmt.Sprintf("must be a tmpfs of %d to %d MiB", minMemoryMiB, maxMemoryMiB))
		c.rule(p.TmpfsMiB == 0 || !isDefault(p), "pools", p.Name, "cannot be a tmpfs: root disks and images lie there, and it is empty after a reboot")
		for _, q := range pools[:i] {
			c.rule(p.Name != q.Name, "pools", p.Name, "is there twice")
			c.rule(p.Path != q.Path, "pools", p.Path, fmt.Sprintf("is the path of pool %q already", q.Name))
		}
	}
}

func (c *checker) user(u User) {
	c.rule(isName(u.Name), "name", u.Name, ruleName)
	c.oneOf("role", string(u.Role), string(RoleViewer), string(RoleOperator), string(RoleAdmin))
	c.rule(len(u.Keys) <= MaxKeys, "keys", fmt.Sprint(len(u.Keys)), fmt.Sprintf("are too many: a user has at most %d", MaxKeys))
	for _, k := range u.Keys {
		c.text("keys", k.Name, 255)
		c.key("keys", k.PublicKey, k.Fingerprint)
		if err := CheckFrom(k.From); err != nil {
			c.rule(false, "from", strings.Join(k.From, ","), "is not taken: "+err.Error())
		}
	}
}

// certificates checks which authorities' certificates let people in.
func (c *checker) certificates(v Settings) {
	c.distinct("user_ca", v.UserCA)
	for _, line := range v.UserCA {
		if _, _, _, err := ParseKey(line); err != nil {
			c.rule(false, "user_ca", line, "is no public key: "+err.Error())
		}
	}
	c.distinct("revoked", v.Revoked)
	for _, text := range v.Revoked {
		c.rule(isRevocation(text), "revoked", text, "must be serial:NUMBER, id:KEY-ID or a fingerprint that begins with SHA256:")
	}
}

func isRevocation(text string) bool {
	if number, ok := strings.CutPrefix(text, "serial:"); ok {
		n, err := strconv.ParseUint(number, 10, 64)
		return err == nil && strconv.FormatUint(n, 10) == number
	}
	if id, ok := strings.CutPrefix(text, "id:"); ok {
		return id != "" && isText(id, 255)
	}
	sum, ok := strings.CutPrefix(text, "SHA256:")
	_, err := base64.RawStdEncoding.DecodeString(sum)
	return ok && err == nil && len(sum) == 43
}

func (c *checker) agent(a Agent) {
	_, ok := c.s.Hypervisors[a.Hypervisor]
	c.refers(ok, "hypervisor", Ref{KindHypervisor, a.Hypervisor})
	c.key("public_key", a.PublicKey, a.Fingerprint)
}

func (c *checker) invite(i Invite) {
	_, ok := c.s.Hypervisors[i.Hypervisor]
	c.refers(ok, "hypervisor", Ref{KindHypervisor, i.Hypervisor})
	c.rule(strings.HasPrefix(i.Fingerprint, "SHA256:") && isText(i.Fingerprint, 64), "fingerprint", i.Fingerprint, "must be as ssh-keygen -l prints it")
}

// key checks a public key, which decides who somebody is: nobody else may
// have it.
func (c *checker) key(field, public, fingerprint string) {
	_, is, _, err := ParseKey(public)
	if err != nil {
		c.rule(false, field, public, "is no public key: "+err.Error())
		return
	}
	c.rule(fingerprint == is, "fingerprint", fingerprint, "is not that of the key, "+is)
	if other, ok := c.keys[is]; ok {
		c.rule(false, field, is, fmt.Sprintf("is a key of %s %q already", other.Kind.Word(), other.Name))
		return
	}
	c.keys[is] = c.ref
}
