package userdata

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"homelab/model"
)

func TestMerge(t *testing.T) {
	const own = `#cloud-config
users:
- default
growpart: {mode: auto, devices: [/]}
runcmd: [["chmod", "0400", "/x"]]
hostname: web
salt_minion:
  conf: {id: web}
`
	got, err := Merge(own, Packages([]string{"nginx", "yes"}), must(Parse(`
# what the role adds
packages: [htop, "on"]
runcmd:
  - echo "a:b" # not to be seen
  - [sh, -c, 'x=1; printf "%s" "$x"']
growpart:
  devices: [/srv]
users:
  - {name: deploy, sudo: false}
write_files:
  - path: /etc/motd
    permissions: '0644'
    mode: 0644
    at: 1:30
    content: |
      hello
        world
    defer: yes
    none: ~
    folded: >-
      one
      two
"on": tcp
salt_minion: {conf: {startup_states: highstate}}
empty: []
void: {}
bin: !!binary aGk=
`)))
	if err != nil {
		t.Fatal(err)
	}
	want := `#cloud-config
users:
  - default
  -
    name: deploy
    sudo: false
growpart:
  mode: auto
  devices:
    - /
    - /srv
runcmd:
  -
    - "chmod"
    - "0400"
    - "/x"
  - "echo \"a:b\""
  -
    - sh
    - -c
    - "x=1; printf \"%s\" \"$x\""
hostname: web
salt_minion:
  conf:
    id: web
    startup_states: highstate
packages:
  - "nginx"
  - "yes"
  - htop
  - "on"
write_files:
  -
    path: /etc/motd
    permissions: "0644"
    mode: 0644
    at: 1:30
    content: "hello\n  world\n"
    defer: yes
    none: null
    folded: "one two"
"on": tcp
empty: []
void: {}
bin: !!binary aGk=
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	again, err := Merge(got)
	if err != nil || again != got {
		t.Errorf("what was written reads as another thing: %v\n%s", err, cmp.Diff(got, again))
	}
}

func TestRefused(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for _, l := range "bcdefghij" {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", l, l, l-1, l-1, l-1, l-1, l-1, l-1, l-1, l-1)
	}
	for text, want := range map[string]string{
		"#!/bin/sh\nrm -rf /":                     "only a map in YAML is taken",
		"#include\nhttps://evil":                  "only a map in YAML is taken",
		"#cloud-boothook\nx":                      "only a map in YAML is taken",
		"#cloud-config-archive\n- x":              "only a map in YAML is taken",
		"## template: jinja\n#cloud-config\na: 1": "only a map in YAML is taken",
		"Content-Type: multipart/mixed; x\n\n":    "only a map in YAML is taken",
		"just words":                              "is no map",
		"- a\n- b":                                "is no map",
		"a: 1\n---\nb: 2":                         "more than one document",
		"a: 1\na: 2":                              "already",
		"a: [1, 2":                                "is no YAML: line 1",
		"a: b: c":                                 "is no YAML",
		"a: 'x":                                   "is no YAML",
		bomb:                                      "anchor or an alias",
		"x: &x {a: 1}\ny: {<<: *x}":               "anchor or an alias",
		"x: !!python/object/apply:os.system [ls]": "is not taken",
		"x: !mine y":                          "is not taken",
		"? [a, b]\n: c":                       "",
		"? {a: b}\n: c":                       "",
		strings.Repeat("[", 60000):            "nested too deep",
		"a: " + strings.Repeat("{a: ", 10000): "nested too deep",
		strings.Repeat("- ", 20000) + "x":     "nested too deep",
		deep(200):                             "nested too deep",
	} {
		start := time.Now()
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%.60q took %s", text, took)
		}
	}
	for _, text := range []string{"", "\n", "#cloud-config", "#cloud-config\n", "# a comment\n", "--- \na: 1\n", "#cloud-config\n---\na: 1"} {
		if _, err := Parse(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// deep is a map in a map, in lines.
func deep(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String() + strings.Repeat(" ", n) + "x\n"
}

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"packages: [nginx]\nusers: [{name: deploy}]": "",
		"salt_minion: {conf: {log_level: debug}}":    "",

		"hostname: evil":         `user_data "hostname" is set by homelab itself`,
		"hostname: {a: b}":       `user_data "hostname" is set by homelab itself`,
		"instance-id: x":         `user_data "instance-id" is the VM's identity`,
		"fqdn: x.y":              `"fqdn" is the VM's name`,
		"ssh_pwauth: true":       `"ssh_pwauth" is set by homelab`,
		"manage_etc_hosts: true": `"manage_etc_hosts" is set by homelab`,

		"salt_minion: {conf: {id: x, master: y}}": `"salt_minion.conf.master" is set by homelab`,
		"salt_minion: {private_key: x}":           `"salt_minion.private_key" is set by homelab`,

		"salt_minion: x":   `"salt_minion" must be a map`,
		"runcmd: ls":       `"runcmd" must be a list`,
		"users: {name: x}": `"users" must be a list`,

		"users: [{name: homelab, sudo: null}]": `"users" has homelab, whom every guest has`,

		"users: [homelab]":      `"users" has homelab`,
		"users: [default]":      `"users" has default`,
		"user: {name: homelab}": `"user" is the image's own user`,
		"a: [":                  `user_data "…" is no YAML: line 1`,
	} {
		before := model.NewState()
		after := before.Clone()
		after.Roles["web"] = model.GuestRole{Name: "web", UserData: text}
		err := Check(before, after)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || len(model.FieldErrors(err)) == 0 {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
		if err := Check(after, after.Clone()); err != nil {
			t.Errorf("what is there already is checked again: %v", err)
		}
	}
	// A new guest user may be one that a role has.
	before := model.NewState()
	before.Roles["web"] = model.GuestRole{Name: "web", UserData: "users: [{name: deploy}]"}
	after := before.Clone()
	after.Settings.GuestUser = "deploy"
	if err := Check(before, after); err == nil || !strings.Contains(err.Error(), "has deploy") {
		t.Error(err)
	}
}

func TestMergeConflicts(t *testing.T) {
	_, err := Merge("a: 1\nb: {c: 2}\n", must(Parse("a: 2\nb: {c: 3, d: 4}")), must(Parse("b: []")))
	var c *ConflictError
	if !errors.As(err, &c) || len(conflicts(err)) != 3 {
		t.Errorf("%v", err)
	}
}

// FuzzParse: what is taken is written as something that reads as the same, and
// nothing panics.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"a: 1", "#cloud-config\nruncmd:\n  - [a, 'b']\n", "a: |\n  x\n  y\n", "a: >-\n x\n y", "? a\n: b", "a: !!str 1", "'a b': \"c\\n\"", "{a: [b, {c: ~}]}", "a:\n- b\n-\n  c: d", "a: -\n", "a: '\u2028'", "- ", "a: ---",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		doc, err := Parse(text)
		if err != nil {
			return
		}
		var b strings.Builder
		doc.root.write(&b, 0)
		again, err := Parse(Header + "\n" + b.String())
		if err != nil {
			t.Fatalf("%q was written as %q: %v", text, b.String(), err)
		}
		var c strings.Builder
		again.root.write(&c, 0)
		if b.String() != c.String() {
			t.Fatalf("%q was written as %q, then as %q", text, b.String(), c.String())
		}
		var v any
		if err := yaml.Unmarshal([]byte(b.String()), &v); err != nil {
			t.Fatalf("%q: %v", b.String(), err)
		}
	})
}
