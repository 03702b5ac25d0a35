package server

import (
	"fmt"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// Nobody who is known has more connections and sessions at once than there is
// room for, and what ends makes room again.
func TestConnectionsAndSessionsOfOneAreLimited(t *testing.T) {
	for _, c := range []struct {
		who  identity
		most int
	}{
		{identity{kind: isUser, name: "ann"}, maxConnsOfUser},
		{identity{kind: isAgent, name: "box"}, maxConnsOfMachine},
		{identity{kind: isInvite, name: "box"}, maxConnsOfMachine},
	} {
		l := newLive()
		var all []*visitor
		for n := range c.most {
			v := &visitor{}
			if err := l.enter(v, c.who, credential{}, ""); err != nil {
				t.Fatalf("connection %d of %s: %v", n, c.who, err)
			}
			all = append(all, v)
		}
		err := l.enter(&visitor{}, c.who, credential{}, "")
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s has %d connections", c.who, c.most)) {
			t.Errorf("one more of %s: %v", c.who, err)
		}
		if err := l.enter(&visitor{}, identity{kind: c.who.kind, name: "other"}, credential{}, ""); err != nil {
			t.Errorf("another than %s: %v", c.who, err)
		}
		sessions := 0
		for l.open(all[sessions%len(all)]) == nil {
			sessions++
		}
		if most := min(maxSessionsOfUser, maxSessions*c.most); sessions != most {
			t.Errorf("%s has %d sessions, not %d", c.who, sessions, most)
		}
		l.closed(all[0])
		l.leave(all[1])
		if err := l.open(all[0]); err != nil {
			t.Errorf("there is room: %v", err)
		}
		if err := l.enter(&visitor{}, c.who, credential{}, ""); err != nil {
			t.Errorf("there is room: %v", err)
		}
	}
}

// A person's ssh-agent may offer a few keys before the right one, and nobody
// may try without end.
func TestTriesOfOneConnectionAreLimited(t *testing.T) {
	l := startLab(t)
	for wrong, ok := range map[int]bool{0: true, maxAuthTries - 2: true, maxAuthTries: false} {
		var keys []gossh.Signer
		for range wrong {
			keys = append(keys, newKeyPair(t))
		}
		c, err := gossh.Dial("tcp", l.srv.Addr().String(), &gossh.ClientConfig{
			User: "x", Auth: []gossh.AuthMethod{gossh.PublicKeys(append(keys, l.key)...)}, HostKeyCallback: gossh.FixedHostKey(l.srv.HostKey()),
		})
		if err == nil {
			c.Close()
		}
		if (err == nil) != ok {
			t.Errorf("after %d wrong keys: %v", wrong, err)
		}
	}
}

// A request to join is a line, not without end.
func TestARequestToJoinIsLimited(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	text, _, err := l.admin().Invite(t.Context(), "test", "box", "")
	if err != nil {
		t.Fatal(err)
	}
	token, err := wire.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := gossh.NewSignerFromKey(token.Key())
	if err != nil {
		t.Fatal(err)
	}
	out, status, err := subsystem(l.dial(key), wire.SubsystemJoin, strings.Repeat("x", 2*maxJoinLine)+"\n")
	if err != nil || status != 1 || !strings.Contains(out, "not one line of JSON") {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
	if _, joined := l.srv.store.State().Agents["box"]; joined {
		t.Error("it joined")
	}
}
