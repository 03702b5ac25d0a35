package userdata

import (
	"errors"

	"homelab/model"
)

// Skeleton has every key that homelab may set in a guest's user-data, with what
// kind of value it has there; what more is to be merged into that is refused
// where it would replace one, whatever the guest at hand has.
const Skeleton = `
users: []
ssh_authorized_keys: []
ssh_pwauth: own
manage_etc_hosts: own
timezone: own
locale: own
packages: []
growpart: {mode: own, devices: []}
resize_rootfs: own
bootcmd: []
hostname: own
mounts: []
apt: {sources: {salt.list: {source: own, key: own}}}
salt_minion:
  conf:
    master: own
    id: own
    tcp_keepalive: own
    tcp_keepalive_idle: own
    tcp_keepalive_cnt: own
    tcp_keepalive_intvl: own
    recon_default: own
    recon_max: own
    recon_randomize: own
    acceptance_wait_time: own
    random_reauth_delay: own
    auth_timeout: own
  grains: {role: own, hypervisor: own}
  pki_dir: own
  public_key: own
  private_key: own
runcmd: []
`

// others are keys that homelab does not set and whose meaning would undo what
// it sets, with what to do instead.
var others = map[string]string{
	"instance-id":       "is the VM's identity, which decides what a rebuild is",
	"local-hostname":    "is the VM's name and its hypervisor's",
	"fqdn":              "is the VM's name and its hypervisor's",
	"preserve_hostname": "is the VM's name and its hypervisor's",
	"network":           "is made of the VM's ip and of the settings",
	"user":              "is the image's own user; give one more in users",
	"merge_how":         "is decided by homelab: maps are merged and lists appended",
	"merge_type":        "is decided by homelab: maps are merged and lists appended",
}

var skeleton = must(Parse(Skeleton))

func must(d *Document, err error) *Document {
	if err != nil {
		panic(err)
	}
	return d
}

// Check tells what is wrong with the user-data of roles that an edit changed,
// each problem as a [model.FieldError].
func Check(before, after *model.State) error {
	var errs []error
	for _, name := range model.Names(after.Roles) {
		r, was := after.Roles[name], before.Roles[name]
		if r.UserData == was.UserData && after.Settings.GuestUser == before.Settings.GuestUser || len(r.UserData) > model.MaxUserData {
			continue
		}
		errs = append(errs, problems(r, after.Settings)...)
	}
	return errors.Join(errs...)
}

func problems(r model.GuestRole, s model.Settings) []error {
	wrong := func(value, rule string) error {
		return &model.FieldError{Ref: model.Ref{Kind: model.KindRole, Name: r.Name}, Field: "user_data", Value: value, Rule: rule}
	}
	doc, err := Parse(r.UserData)
	if err != nil {
		return []error{wrong("…", err.Error())}
	}
	var errs []error
	_, err = merged(skeleton.root, doc.root, nil)
	for _, c := range conflicts(err) {
		errs = append(errs, wrong(c.Path, c.Rule))
	}
	for _, it := range doc.root.items {
		if rule, ok := others[it.key]; ok {
			errs = append(errs, wrong(it.key, rule))
		}
	}
	if users := doc.root.find("users"); users != nil {
		for _, it := range users.value.items {
			name := it.value.value
			if n := it.value.find("name"); n != nil {
				name = n.value.value
			}
			if name == s.GuestUser && name != "" || name == "default" {
				errs = append(errs, wrong("users", "has "+name+", whom every guest has: change its keys with settings set --ssh-key"))
			}
		}
	}
	return errs
}

// conflicts are those inside an error of merged.
func conflicts(err error) []*ConflictError {
	switch e := err.(type) {
	case *ConflictError:
		return []*ConflictError{e}
	case interface{ Unwrap() []error }:
		var all []*ConflictError
		for _, inner := range e.Unwrap() {
			all = append(all, conflicts(inner)...)
		}
		return all
	}
	return nil
}
