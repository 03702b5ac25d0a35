package power

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bougou/go-ipmi/pkg/client"
	"github.com/bougou/go-ipmi/pkg/command/chassis"
	"github.com/bougou/go-ipmi/pkg/types"

	"homelab/model"
)

const (
	packetTime = 2 * time.Second // until a packet counts as lost
	packets    = 2               // that may be lost
	closeTime  = 100 * time.Millisecond
)

// ipmi is a machine whose management controller speaks IPMI 2.0.
type ipmi struct {
	host           string
	port           int
	user, password string
	suite          atomic.Int32 // of suites, that it took last
}

func newIPMI(o model.IPMIOutlet, password string) (*ipmi, error) {
	host, port, err := model.SplitAddress(o.Address, "623")
	if err != nil {
		return nil, fmt.Errorf("address %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("address %w", err)
	}
	if len(password) > 20 {
		return nil, errors.New("its password is longer than 20 bytes: IPMI takes no more")
	}
	return &ipmi{host: host, port: n, user: o.User, password: password}, nil
}

// session does something while logged in. The module waits for packets whatever
// ctx says: a session that ctx ends is left to end by itself.
func (i *ipmi) session(ctx context.Context, do func(ctx context.Context, c *client.Client) error) error {
	done := make(chan error, 1)
	go func() { done <- i.logged(ctx, do) }()
	select {
	case err := <-done:
		if err == nil || ctx.Err() == nil {
			return err
		}
	case <-ctx.Done():
	}
	return fmt.Errorf("the controller at %s %w", i.at(), errLate)
}

func (i *ipmi) at() string { return net.JoinHostPort(i.host, strconv.Itoa(i.port)) }

func (i *ipmi) logged(ctx context.Context, do func(ctx context.Context, c *client.Client) error) error {
	c, err := i.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx)) // sessions are few
	return i.explain(do(ctx, c))
}

// suites are how a session is protected, the better one first. No others are
// taken: they protect less, and asking which there are takes old controllers
// longer than trying.
var suites = []types.CipherSuiteID{types.CipherSuiteID17, types.CipherSuiteID3}

// connect logs in, with the suite first that the controller took last.
func (i *ipmi) connect(ctx context.Context) (*client.Client, error) {
	var err error
	for n := range suites {
		at := (int(i.suite.Load()) + n) % len(suites)
		c, e := client.NewClient(i.host, i.port, i.user, i.password)
		if e != nil {
			return nil, e
		}
		c.WithTimeout(packetTime).WithRetry(packets).WithCipherSuiteID(suites[at])
		if e = c.Connect(ctx); e == nil {
			i.suite.Store(int32(at))
			return c, nil
		}
		// There is no session to end: few controllers answer that.
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		_ = c.WithRetry(0).Close(short)
		cancel()
		e = i.explain(e)
		if err == nil || errors.Is(e, errLogin) {
			err = e // the other may only say that it does not know the suite
		}
		if errors.Is(e, errLate) || ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

var (
	errLate  = errors.New("did not answer in time")
	errLogin = errors.New("refuses user or password")
)

// explain says an error of the module's. Those of logging in are texts only.
func (i *ipmi) explain(err error) error {
	if err == nil {
		return nil
	}
	var timeout net.Error
	text := err.Error()
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		err = errors.New("refused the connection")
	case errors.As(err, &timeout) && timeout.Timeout(), strings.Contains(text, "no datagram matched"), strings.Contains(text, "i/o timeout"):
		err = errLate
	case strings.Contains(text, "rakp1 failed"), strings.Contains(text, "rakp3 failed"):
		err = errLogin
	default:
		return fmt.Errorf("the controller at %s: %w", i.at(), err)
	}
	return fmt.Errorf("the controller at %s %w", i.at(), err)
}

func (i *ipmi) Set(ctx context.Context, on bool) error {
	order := chassis.ChassisControlPowerDown
	if on {
		order = chassis.ChassisControlPowerUp
	}
	return i.session(ctx, func(ctx context.Context, c *client.Client) error {
		_, err := c.ChassisControl(ctx, order)
		return err
	})
}

func (i *ipmi) State(ctx context.Context) (model.Power, error) {
	st := model.PowerUnknown
	err := i.session(ctx, func(ctx context.Context, c *client.Client) error {
		answer, err := c.GetChassisStatus(ctx)
		if err == nil {
			st = state(answer.PowerIsOn)
		}
		return err
	})
	if err != nil {
		return model.PowerUnknown, err
	}
	return st, nil
}

// Cycle has the controller do it; one whose machine is off can only switch it
// on.
func (i *ipmi) Cycle(ctx context.Context) error {
	return i.session(ctx, func(ctx context.Context, c *client.Client) error {
		answer, err := c.GetChassisStatus(ctx)
		if err != nil {
			return err
		}
		order := chassis.ChassisControlPowerUp
		if answer.PowerIsOn {
			order = chassis.ChassisControlPowerCycle
		}
		_, err = c.ChassisControl(ctx, order)
		return err
	})
}

// Read reads the power that DCMI measures; a controller without it says that it
// does not know the command.
func (i *ipmi) Read(ctx context.Context) (Reading, error) {
	var watts *float64
	err := i.session(ctx, func(ctx context.Context, c *client.Client) error {
		answer, err := c.GetDCMIPowerReading(ctx)
		var refused *types.ResponseError
		switch {
		case errors.As(err, &refused):
			return nil
		case err == nil && answer.PowerMeasurementActive:
			watts = number(float64(answer.CurrentPower))
		}
		return err
	})
	if err != nil {
		return Reading{}, err
	}
	return Reading{Watts: watts}, nil
}
