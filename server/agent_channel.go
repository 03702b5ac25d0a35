package server

import (
	"context"
	"errors"
	"fmt"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// channel opens a channel of the server's own on the agent's connection. The
// agent's reason is the error if it refuses.
func (c *agentConn) channel(ctx context.Context, kind string, payload []byte) (gossh.Channel, error) {
	conn, ok := c.sess.Context().Value(ssh.ContextKeyConn).(*gossh.ServerConn)
	if !ok {
		return nil, fmt.Errorf("the agent of %s is not connected", c.hypervisor)
	}
	type opened struct {
		ch  gossh.Channel
		err error
	}
	result := make(chan opened, 1)
	go func() { // ends with the answer, or with the connection
		ch, reqs, err := conn.OpenChannel(kind, payload)
		if err == nil {
			go gossh.DiscardRequests(reqs) // ends with the channel
		}
		result <- opened{ch, err}
	}()
	select {
	case o := <-result:
		return o.ch, c.plainly(o.err)
	case <-ctx.Done():
		go func() { // ends likewise
			if o := <-result; o.err == nil {
				o.ch.Close()
			}
		}()
		return nil, fmt.Errorf("the agent of %s did not answer in time", c.hypervisor)
	}
}

// plainly is what the agent says of why it does not open a channel.
func (c *agentConn) plainly(err error) error {
	var refused *gossh.OpenChannelError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Reason == gossh.UnknownChannelType:
		return fmt.Errorf("the agent of %s is too old for that: update it", c.hypervisor)
	case errors.As(err, &refused):
		return fmt.Errorf("%s: %s", c.hypervisor, refused.Message)
	}
	return fmt.Errorf("the connection to the agent of %s was lost", c.hypervisor)
}
