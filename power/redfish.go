package power

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stmcginnis/gofish"
	"github.com/stmcginnis/gofish/schemas"

	"homelab/model"
)

// controllerTime is of one request to a management controller: they are slow.
const controllerTime = 8 * time.Second

// redfish is a machine whose management controller speaks Redfish.
type redfish struct {
	base           *url.URL
	user, password string
	system         string
	web            *web
}

func newRedfish(o model.RedfishOutlet, password string) (*redfish, error) {
	base, err := model.DeviceURL(o.Address, "https", "")
	if err != nil {
		return nil, fmt.Errorf("address %w", err)
	}
	r := &redfish{base: base, user: o.User, password: password, system: o.System, web: newWeb(o.Insecure, "", "", password)}
	r.web.client.Timeout = controllerTime
	return r, nil
}

// machine finds the machine. Each call logs in by itself: sessions are few on
// such controllers, and stay behind when one is lost.
func (r *redfish) machine(ctx context.Context) (*schemas.ComputerSystem, error) {
	api, err := gofish.ConnectContext(ctx, gofish.ClientConfig{
		Endpoint: r.base.String(), Username: r.user, Password: r.password,
		BasicAuth: true, HTTPClient: r.web.client, NoModifyTransport: true,
	})
	if err != nil {
		return nil, r.explain(err)
	}
	systems, err := api.Service.Systems()
	if err != nil {
		return nil, r.explain(err)
	}
	var ids []string
	for _, s := range systems {
		if s.ID == r.system || r.system == "" && len(systems) == 1 {
			return s, nil
		}
		ids = append(ids, s.ID)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("the controller at %s manages no machine", r.base.Host)
	}
	return nil, fmt.Errorf("the controller at %s has the systems %s: choose one with --system", r.base.Host, strings.Join(ids, ", "))
}

func (r *redfish) explain(err error) error {
	var some *schemas.CollectionError
	if errors.As(err, &some) {
		for _, err = range some.Failures {
			break // one will do
		}
	}
	var said *schemas.Error
	if !errors.As(err, &said) {
		return r.web.plain(err)
	}
	switch said.HTTPReturnedStatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("the controller at %s refuses user or password", r.base.Host)
	case http.StatusNotFound:
		return fmt.Errorf("the controller at %s has no Redfish, or an old one", r.base.Host)
	}
	text := said.Message
	for _, info := range said.ExtendedInfos {
		if info.Message != "" {
			text = info.Message
			break
		}
	}
	return r.web.plain(fmt.Errorf("the controller at %s answered %d %s", r.base.Host, said.HTTPReturnedStatusCode, excerpt([]byte(text))))
}

// Set orders what the controller says that it can; one that says nothing can
// everything.
func (r *redfish) Set(ctx context.Context, on bool) error {
	m, err := r.machine(ctx)
	if err != nil {
		return err
	}
	if machineState(m) == state(on) && m.PowerState != schemas.PoweringOffPowerState {
		return nil // many refuse to do it again
	}
	if on {
		return r.reset(m, schemas.OnResetType, schemas.ForceOnResetType, schemas.PushPowerButtonResetType)
	}
	return r.reset(m, schemas.ForceOffResetType, schemas.GracefulShutdownResetType)
}

// Cycle takes the power away, or resets the machine where its controller cannot
// do that.
func (r *redfish) Cycle(ctx context.Context) error {
	m, err := r.machine(ctx)
	if err != nil {
		return err
	}
	if machineState(m) == model.PowerOff {
		return r.reset(m, schemas.OnResetType, schemas.ForceOnResetType, schemas.PushPowerButtonResetType)
	}
	return r.reset(m, schemas.PowerCycleResetType, schemas.ForceRestartResetType)
}

// reset orders the first of some that the controller can.
func (r *redfish) reset(m *schemas.ComputerSystem, preferred ...schemas.ResetType) error {
	can, err := m.GetSupportedResetTypes()
	if err != nil {
		can = nil // then it says nothing
	}
	for _, kind := range preferred {
		if len(can) == 0 || slices.Contains(can, kind) {
			_, err := m.Reset(kind)
			return r.explain(err)
		}
	}
	return fmt.Errorf("the controller at %s can %v, and none of %v", r.base.Host, can, preferred)
}

func (r *redfish) State(ctx context.Context) (model.Power, error) {
	m, err := r.machine(ctx)
	if err != nil {
		return model.PowerUnknown, err
	}
	st := machineState(m)
	if st == model.PowerUnknown {
		return st, fmt.Errorf("the controller says %s of the machine's power", excerpt([]byte(m.PowerState)))
	}
	return st, nil
}

// machineState is whether a machine has power; on its way to or from it, it
// has.
func machineState(m *schemas.ComputerSystem) model.Power {
	switch m.PowerState {
	case schemas.OnPowerState, schemas.PoweringOnPowerState, schemas.PoweringOffPowerState, schemas.PausedPowerState:
		return model.PowerOn
	case schemas.OffPowerState:
		return model.PowerOff
	}
	return model.PowerUnknown
}

// Read reads what the machine's chassis measures, in the new way or the old.
func (r *redfish) Read(ctx context.Context) (Reading, error) {
	m, err := r.machine(ctx)
	if err != nil {
		return Reading{}, err
	}
	chassis, err := m.Chassis()
	if err != nil {
		return Reading{}, r.explain(err)
	}
	for _, c := range chassis {
		if reading, ok := chassisReading(c); ok {
			return reading, nil
		}
	}
	return Reading{}, nil
}

func chassisReading(c *schemas.Chassis) (Reading, bool) {
	if metrics, err := c.EnvironmentMetrics(); err == nil && metrics != nil && metrics.PowerWatts.Reading != nil {
		reading := Reading{Watts: metrics.PowerWatts.Reading}
		if kwh := metrics.EnergykWh.Reading; kwh != nil {
			reading.EnergyWh = number(*kwh * 1000)
		}
		return reading, true
	}
	old, err := c.Power()
	if err != nil || old == nil {
		return Reading{}, false
	}
	for _, control := range old.PowerControl {
		if control.PowerConsumedWatts != nil {
			return Reading{Watts: number(float64(*control.PowerConsumedWatts))}, true
		}
	}
	return Reading{}, false
}
