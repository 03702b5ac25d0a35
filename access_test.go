package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"homelab/model"
	"homelab/model/store"
)

// TestAccess runs transcripts of who gets in, with real servers, agents and
// OpenSSH's client. In a script:
//
//	lab ARGS…            the admin's ssh, with UpdateHostKeys=yes
//	until REGEXP ARGS…   the same, again until its standard output matches
//	invite NAME ARGS…    makes an invite, whose token is $TOKEN then
//	agent NAME ARGS…     starts the agent of a machine, which goes on
//	told NAME REGEXP     waits until the log of an agent, or of the server, matches
//	homelab ARGS…        runs the program until it ends; $DATA is the server's folder
//	end NAME             ends an agent, or the server
//	serve                starts the server
//	expire NAME          lets an hour pass for the invite of NAME
//	middle               starts a man in the middle at $MIDDLE
//	middle heard N       that N clients spoke to, and how many showed a key
func TestAccess(t *testing.T) {
	t.Parallel() // with the other that waits most of its time
	files, err := filepath.Glob("testdata/access/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a := &accessScript{l: newLab(t), agents: map[string]*process{}}
			testscript.Run(t, testscript.Params{
				Files: []string{file}, RequireExplicitExec: true,
				Setup: func(env *testscript.Env) error {
					env.Setenv("DATA", filepath.Join(a.l.dir, "server"))
					env.Setenv("LAB", a.l.listen)
					env.Setenv("KEYS", a.l.dir)
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"lab": a.lab, "until": a.until, "invite": a.invite, "agent": a.agent, "told": a.told,
					"homelab": a.homelab, "end": a.end, "serve": a.serve, "expire": a.expire, "middle": a.middle,
				},
			})
		})
	}
}

type accessScript struct {
	l      *lab
	agents map[string]*process
	man    *middleman
}

func (a *accessScript) run(args []string) (string, string, error) {
	all := append([]string{"-o", "UpdateHostKeys=yes"}, a.l.sshArgs()...)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh", append(all, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String(), errs.String(), err
}

func (a *accessScript) lab(ts *testscript.TestScript, neg bool, args []string) {
	out, errs, err := a.run(args)
	show(ts, neg, out, errs, err)
}

// show is what a program said, to be matched.
func show(ts *testscript.TestScript, neg bool, out, errs string, err error) {
	_, _ = ts.Stdout().Write([]byte(out))
	_, _ = ts.Stderr().Write([]byte(errs))
	if (err != nil) != neg {
		ts.Fatalf("it ended with %v\n%s%s", err, out, errs)
	}
}

// wait waits for a condition.
func wait(ts *testscript.TestScript, what string, ok func() bool) {
	deadline := time.Now().Add(40 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			ts.Fatalf("waited in vain for %s", what)
		}
		<-tick.C
	}
}

func (a *accessScript) until(ts *testscript.TestScript, _ bool, args []string) {
	want, last := regexp.MustCompile("(?m)"+args[0]), ""
	defer func() { ts.Logf("%s", last) }()
	wait(ts, args[0], func() bool {
		out, errs, err := a.run(args[1:])
		last = out + errs
		return err == nil && want.MatchString(out)
	})
}

func (a *accessScript) invite(ts *testscript.TestScript, _ bool, args []string) {
	out, errs, err := a.run(append([]string{"agent", "invite", "--json"}, args...))
	var invite struct{ Token string }
	if err == nil {
		err = json.Unmarshal([]byte(out), &invite)
	}
	if err != nil {
		ts.Fatalf("%v\n%s%s", err, out, errs)
	}
	ts.Setenv("TOKEN", invite.Token)
}

func (a *accessScript) agent(ts *testscript.TestScript, _ bool, args []string) {
	a.agents[args[0]] = a.l.start(args[0], append([]string{"agent", "--data", filepath.Join(a.l.dir, "agent-"+args[0])}, args[1:]...)...)
}

func (a *accessScript) told(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[1])
	wait(ts, args[1]+" in the log of "+args[0], func() bool {
		text, _ := os.ReadFile(filepath.Join(a.l.dir, args[0]+".log"))
		return want.Match(text)
	})
}

func (a *accessScript) homelab(ts *testscript.TestScript, neg bool, args []string) {
	bin, err := binary()
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir, cmd.Env = ts.Getenv("WORK"), append(os.Environ(), "HOME="+a.l.dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	show(ts, neg, out.String(), errs.String(), err)
}

func (a *accessScript) end(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "server" {
		a.l.server.terminate()
		return
	}
	a.agents[args[0]].terminate()
}

func (a *accessScript) serve(*testscript.TestScript, bool, []string) { a.l.serve() }

func (a *accessScript) expire(ts *testscript.TestScript, _ bool, args []string) {
	a.l.server.terminate()
	st, err := store.Open(filepath.Join(a.l.dir, "server", "homelab.db"))
	ts.Check(err)
	_, err = st.Commit("test", "an hour passes", func(s *model.State) error {
		invite, ok := s.Invites[args[0]]
		if !ok {
			return fmt.Errorf("%s is not invited", args[0])
		}
		invite.Expires = invite.Expires.Add(-time.Hour)
		s.Invites[args[0]] = invite
		return nil
	})
	ts.Check(errors.Join(err, st.Close()))
	a.l.serve()
}

func (a *accessScript) middle(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		a.man = startMiddleman(a.l.t)
		ts.Setenv("MIDDLE", a.man.address)
		return
	}
	wait(ts, args[1]+" clients in the middle", func() bool { return fmt.Sprint(a.man.spoken.Load()) >= args[1] })
	fmt.Fprintf(ts.Stdout(), "%d showed a key\n", a.man.keys.Load())
}

// middleman is an SSH server with a key of its own that lets everybody in, to
// hear what they say.
type middleman struct {
	address      string
	spoken, keys atomic.Int64
}

func startMiddleman(t testing.TB) *middleman {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	m := &middleman{address: ln.Addr().String()}
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
		m.keys.Add(1)
		return nil, nil
	}}
	config.AddHostKey(signer)
	go func() { // ends with the listener
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _, _, _ = ssh.NewServerConn(conn, config)
				m.spoken.Add(1)
			}()
		}
	}()
	return m
}
