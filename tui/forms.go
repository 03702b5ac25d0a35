package tui

import (
	"cmp"
	"errors"
	"strconv"
	"strings"

	"homelab/model"
)

// edits makes the edit of a form: add a new object, or change the one of that
// name. fill puts the fields into it.
func edits[T any](ref model.Ref, fresh func(name string) T, fill func(*T, values) error) func(values, uint64) model.Edit {
	var made T
	if ref.Name == "" {
		made = fresh("") // once, so that a new object keeps its identity
	}
	return func(v values, base uint64) model.Edit {
		return func(s *model.State) error {
			var unread error
			fill := func(obj *T) error {
				unread = fill(obj, v)
				return nil
			}
			var err error
			if ref.Name != "" {
				err = model.Change(ref.Name, base, fill)(s)
			} else {
				obj := made
				_ = fill(&obj)
				err = model.Add(obj)(s)
			}
			if unread == nil || err != nil {
				return errors.Join(unread, err)
			}
			return errors.Join(unread, model.Validate(s)) // what else is wrong is said at once
		}
	}
}

func verb(kind, name string) string {
	if name == "" {
		return "add " + kind
	}
	return "edit " + kind + " " + name
}

// numbers reads the fields that hold numbers and sizes, and blames each that
// holds none.
type numbers struct {
	ref  model.Ref
	v    values
	errs []error
}

func (n *numbers) read(key string, parse func(string) (int, error), rule string) int {
	s := n.v[key]
	if s == "" {
		s = "0"
	}
	i, err := parse(s)
	if err != nil {
		n.errs = append(n.errs, &model.FieldError{Ref: n.ref, Field: key, Value: s, Rule: rule})
	}
	return i
}

// blame notes what is wrong with a field, without its value: that may be secret.
func (n *numbers) blame(key string, err error) {
	if err != nil {
		n.errs = append(n.errs, &model.FieldError{Ref: n.ref, Field: key, Rule: strings.TrimPrefix(err.Error(), key+" ")})
	}
}

// newHypervisorForm edits a hypervisor, or adds one if name is empty.
func newHypervisorForm(a *app, name string) *form {
	ref := model.Ref{Kind: model.KindHypervisor, Name: name}
	return newForm(a, &form{
		ref: ref, verb: verb("hypervisor", name),
		load: func(s *model.State) ([]*field, uint64, bool) {
			hv, ok := s.Hypervisors[name]
			if name == "" {
				hv, ok = model.NewHypervisor(""), true
			}
			var fields []*field
			if name == "" {
				fields = append(fields, (&field{key: "name", label: "name", hint: "a DNS label, such as thinkpad", blank: "–"}).with(""))
			}
			return append(fields,
				(&field{key: "platform", label: "platform", kind: choice, hint: "sandbox needs terraform only: nothing is really made", options: []string{model.PlatformLibvirt, model.PlatformSandbox}}).with(hv.Platform),
				(&field{key: "accel", label: "acceleration", kind: choice, hint: "auto: the agent finds out whether KVM boots a guest", options: []string{model.AccelAuto, model.AccelKVM, model.AccelTCG}}).with(hv.Accel),
				(&field{key: "network", label: "network", hint: "macvtap:IFACE (guests cannot reach their own host), bridge:NAME or nat:default", blank: "–"}).with(hv.Network),
				(&field{key: "pools", label: "pools", hint: "name=/path, or with nfs:HOST:/EXPORT or tmpfs:4GiB after it; commas between", blank: "–"}).with(poolText(hv.Pools)),
				(&field{key: "policy", label: "policy", kind: choice, hint: "review: every plan with changes waits for approval", options: []string{model.PolicyAuto, model.PolicyReview}}).with(hv.Policy),
				(&field{key: "outlets", label: "outlets", kind: ticks, hint: "space ticks the outlets that feed it", blank: "no outlet is defined", options: model.Names(s.Outlets)}).with(strings.Join(hv.Outlets, ",")),
				(&field{key: "address", label: "address", hint: "host name or IP address; may be empty", blank: "–"}).with(hv.Address),
				(&field{key: "power_policy", label: "power policy", kind: choice, hint: "profile: on while the active profile has VMs to run there", options: []string{model.PowerManual, model.PowerProfile, model.PowerSchedule}}).with(cmp.Or(hv.PowerPolicy, model.PowerManual)),
				(&field{key: "schedules", label: "schedules", hint: "such as on 0 18 * * 1-5 Europe/Amsterdam; off 30 23 * * *", blank: "–"}).with(strings.Join(hv.Schedules, "; ")),
				(&field{key: "idle_minutes", label: "idle minutes", hint: "off after that long without a running guest; empty is never", blank: "–"}).with(number(hv.IdleMinutes)),
				(&field{key: "wake", label: "wake", kind: choice, hint: "yes: on when a VM on it is started", options: []string{"no", "yes"}}).with(either(hv.Wake, "yes", "no")),
				(&field{key: "await_salt", label: "await Salt", kind: choice, hint: "yes: its runs count once its guests are configured", options: []string{"no", "yes"}}).with(either(hv.AwaitSalt, "yes", "no")),
			), hv.Version, ok
		},
		edit: edits(ref, model.NewHypervisor, func(hv *model.Hypervisor, v values) error {
			if name == "" {
				hv.Name = v["name"]
			}
			hv.Platform, hv.Accel, hv.Network = v["platform"], v["accel"], v["network"]
			hv.Policy, hv.Outlets, hv.Address = v["policy"], split(v["outlets"]), v["address"]
			hv.AwaitSalt, hv.Wake = v["await_salt"] == "yes", v["wake"] == "yes"
			if hv.PowerPolicy != "" || v["power_policy"] != model.PowerManual {
				hv.PowerPolicy = v["power_policy"]
			}
			hv.Schedules = lines(v["schedules"])
			n := numbers{ref: model.Ref{Kind: model.KindHypervisor, Name: hv.Name}, v: v}
			hv.IdleMinutes = n.read("idle_minutes", strconv.Atoi, "must be a number of minutes")
			if len(n.errs) > 0 {
				return joined(n.errs)
			}
			hv.Pools = nil
			for _, p := range split(v["pools"]) {
				pool, err := model.ParsePool(p)
				if err != nil {
					return &model.FieldError{Ref: model.Ref{Kind: model.KindHypervisor, Name: hv.Name}, Field: "pools", Value: p, Rule: "must be name=/path, with nfs:HOST:/EXPORT or tmpfs:SIZE after it where that is mounted"}
				}
				hv.Pools = append(hv.Pools, pool)
			}
			return nil
		}),
	})
}

func poolText(pools []model.Pool) string {
	parts := make([]string, len(pools))
	for i, p := range pools {
		parts[i] = p.String()
	}
	return strings.Join(parts, ", ")
}

// newProfileForm adds a profile.
func newProfileForm(a *app) *form {
	ref := model.Ref{Kind: model.KindProfile}
	return newForm(a, &form{
		ref: ref, verb: verb("profile", ""),
		load: func(*model.State) ([]*field, uint64, bool) {
			return []*field{(&field{key: "name", label: "name", hint: "enter saves; VMs become members in their own forms", blank: "–"}).with("")}, 0, true
		},
		edit: edits(ref, func(string) model.Profile { return model.Profile{} }, func(p *model.Profile, v values) error {
			p.Name = v["name"]
			return nil
		}),
	})
}

func joined(errs []error) error { return errors.Join(errs...) }

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
