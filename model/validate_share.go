package model

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	optionPattern  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*(=[A-Za-z0-9_.:/@+-]+)?$`)
	packagePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_:=~/-]{0,127}$`)
	localePattern  = regexp.MustCompile(`^(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(\.[A-Za-z0-9-]{1,16})?(@[a-z]{1,16})?$`)
)

// systemFolders are those of a guest that nothing can be mounted over; below
// the first four nothing either.
var systemFolders = []string{"/dev", "/proc", "/run", "/sys", "/bin", "/boot", "/etc", "/lib", "/lib64", "/root", "/sbin", "/tmp", "/usr", "/var"}

const ruleMount = "must be an absolute path without spaces, quotes and \\"

func (c *checker) share(s Share) {
	c.rule(isName(s.Name), "name", s.Name, ruleName)
	c.rule(isHost(s.Server), "server", s.Server, ruleHost)
	c.rule(s.Export == "/" || isMount(s.Export), "export", s.Export, ruleMount)
	if c.rule(isMount(s.Mount), "mount", s.Mount, ruleMount) {
		c.rule(!isSystem(s.Mount), "mount", s.Mount, "is a folder of the guest's system: it would not be seen any more")
	}
	c.distinct("options", s.Options)
	for _, o := range s.Options {
		c.rule(optionPattern.MatchString(o) && len(o) <= 100, "options", o, "must be a mount option, such as ro or vers=4.2")
		c.rule(o != "auto" && o != "bg", "options", o, "would have the share mounted at the guest's boot, and keep its server awake")
	}
	c.rule(s.Outlet == "" || s.Hypervisor == "", "outlet", s.Outlet, "cannot be given beside the hypervisor, whose own outlets count")
	if s.Outlet != "" {
		_, ok := c.s.Outlets[s.Outlet]
		c.refers(ok, "outlet", Ref{KindOutlet, s.Outlet})
	}
	if s.Hypervisor != "" {
		_, ok := c.s.Hypervisors[s.Hypervisor]
		c.refers(ok, "hypervisor", Ref{KindHypervisor, s.Hypervisor})
	}
}

// isMount tells whether s is a path that a line of fstab can hold.
func isMount(s string) bool { return isPath(s) && len(s) <= 255 && !strings.ContainsAny(s, " \\\"'#,") }

func isSystem(mount string) bool {
	return slices.Contains(systemFolders, mount) ||
		slices.ContainsFunc(systemFolders[:4], func(dir string) bool { return strings.HasPrefix(mount, dir+"/") })
}

// shares checks that a VM can mount all of its shares: none where another is,
// or below it, where looking for one would mount the other.
func (c vmChecker) shares(vm VM) {
	c.distinct("shares", vm.Shares)
	for i, name := range vm.Shares {
		share, ok := c.s.Shares[name]
		c.refers(ok, "shares", Ref{KindShare, name})
		for _, other := range vm.Shares[:i] {
			if o := c.s.Shares[other]; ok && other != name && within(share.Mount, o.Mount) {
				c.rule(false, "shares", name, fmt.Sprintf("is mounted at %s, and %s at %s: neither can lie in the other", share.Mount, other, o.Mount))
			}
		}
	}
}

// within tells whether one path is the other or lies in it.
func within(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

func (c *checker) role(r GuestRole) {
	c.rule(isName(r.Name), "name", r.Name, ruleName)
	c.packages(r.Packages)
	c.rule(isBody(r.UserData, MaxUserData), "user_data", r.UserData, fmt.Sprintf("must be text without control characters, at most %d bytes", MaxUserData))
}

func (c *checker) packages(list []string) {
	c.distinct("packages", list)
	for _, p := range list {
		c.rule(packagePattern.MatchString(p), "packages", p, "must be the name of a package")
	}
}
