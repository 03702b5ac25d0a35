package agent

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"homelab/agent/wire"
)

// identity is what an agent knows after it has joined.
type identity struct {
	Server  string `json:"server"`   // HOST:PORT
	HostKey string `json:"host_key"` // of the server, authorized_keys form
	// HostKeys are others that it may have: one is being exchanged.
	HostKeys   []string `json:"host_keys,omitempty"`
	Hypervisor string   `json:"hypervisor"`
	PrivateKey string   `json:"private_key"` // of the agent, OpenSSH form
	// Token is the hash of the token that it joined with: a service that is
	// started with the same --join again does not join again.
	Token string `json:"token"`
}

// identify loads the identity, joining first if there is a token that was not
// used for it.
func identify(ctx context.Context, f folder, opts Options) (identity, error) {
	var id identity
	if err := f.load(identityFile, &id); err != nil {
		return identity{}, err
	}
	if opts.Token != "" {
		token, err := wire.ParseToken(opts.Token)
		if err != nil {
			return identity{}, err
		}
		if hash := tokenHash(token); id.Token != hash {
			if opts.Server != "" {
				token.Address = opts.Server
			}
			if id, err = join(ctx, token); err != nil {
				return identity{}, err
			}
			if err := f.save(identityFile, id); err != nil {
				return identity{}, fmt.Errorf("joined as %s, but could not keep it: %w", id.Hypervisor, err)
			}
		}
	}
	if id.PrivateKey == "" {
		return identity{}, errors.New("this agent has not joined a server yet: make a token on the server with `agent invite NAME` and start the agent with --join TOKEN")
	}
	if opts.Server != "" {
		id.Server = opts.Server
	}
	return id, nil
}

func tokenHash(t wire.Token) string {
	h := sha256.Sum256(t.Seed)
	return hex.EncodeToString(h[:])
}

// join makes the agent known to the server. The server's host key is checked
// against the token before anything else is said, and nothing is kept here.
func join(ctx context.Context, token wire.Token) (identity, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return identity{}, err
	}
	block, err := ssh.MarshalPrivateKey(private, "homelab agent")
	if err != nil {
		return identity{}, err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return identity{}, err
	}
	once, err := ssh.NewSignerFromKey(token.Key())
	if err != nil {
		return identity{}, err
	}
	var hostKey ssh.PublicKey
	check := func(_ string, _ net.Addr, k ssh.PublicKey) error {
		hostKey = k
		if got := ssh.FingerprintSHA256(k); got != token.Fingerprint {
			return &hostKeyError{token.Address, got, token.Fingerprint}
		}
		return nil
	}
	client, reqs, err := dial(ctx, token.Address, once, check, "")
	if err != nil {
		if isRefused(err) {
			return identity{}, fmt.Errorf("%s refused the token: it was used already, has expired or was revoked; make another with `agent invite NAME`", token.Address)
		}
		return identity{}, err
	}
	defer client.Close()
	go ssh.DiscardRequests(reqs) // ends with the connection
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	reply, err := askToJoin(client, wire.JoinRequest{PublicKey: authorizedKey(key)})
	if err != nil {
		return identity{}, fmt.Errorf("could not join %s: %w", token.Address, err)
	}
	return identity{
		Server: token.Address, HostKey: authorizedKey(hostKey), Hypervisor: reply.Hypervisor,
		PrivateKey: string(pem.EncodeToMemory(block)), Token: tokenHash(token),
	}, nil
}

func askToJoin(client *ssh.Client, req wire.JoinRequest) (wire.JoinReply, error) {
	sub, err := openSubsystem(client, wire.SubsystemJoin)
	if err != nil {
		return wire.JoinReply{}, err
	}
	defer sub.Close()
	if err := json.NewEncoder(sub).Encode(req); err != nil {
		return wire.JoinReply{}, err
	}
	line, err := bufio.NewReader(io.LimitReader(sub, 64<<10)).ReadBytes('\n')
	if len(bytes.TrimSpace(line)) == 0 {
		return wire.JoinReply{}, sub.explain(err)
	}
	var reply wire.JoinReply
	if err := json.Unmarshal(line, &reply); err != nil {
		return wire.JoinReply{}, fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	if reply.Error != "" {
		return wire.JoinReply{}, errors.New(reply.Error)
	}
	if reply.Hypervisor == "" {
		return wire.JoinReply{}, errors.New("the server did not say which hypervisor this is")
	}
	return reply, nil
}

// keys are the parsed keys of an identity: its own, and those that the server
// may have.
func (id identity) keys() (ssh.Signer, []ssh.PublicKey, error) {
	signer, err := ssh.ParsePrivateKey([]byte(id.PrivateKey))
	if err != nil {
		return nil, nil, fmt.Errorf("the agent's own key cannot be read: %w", err)
	}
	var hosts []ssh.PublicKey
	for _, line := range append([]string{id.HostKey}, id.HostKeys...) {
		host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, nil, fmt.Errorf("the server's host key cannot be read: %w", err)
		}
		hosts = append(hosts, host)
	}
	return signer, hosts, nil
}

func authorizedKey(k ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))
}

// hostKeyError says that who answers is not the server that we know.
type hostKeyError struct{ address, got, want string }

func (e *hostKeyError) Error() string {
	return fmt.Sprintf("%s is not the server that is expected there: its host key is %s, not %s; if the server was set up anew, join again with a new token", e.address, e.got, e.want)
}
