package model

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Metered is what has been recorded of one outlet's meter.
type Metered struct {
	Since   time.Time // when recording began
	TodayWh float64   // since the last midnight
	TotalWh float64   // since Since
	// Recent are the mean watts of each of the last 60 minutes, oldest first;
	// NaN where nothing was measured. It is immutable.
	Recent []float64
}

// WattPoint is the mean power over a minute or an hour.
type WattPoint struct {
	At    time.Time // its beginning
	Watts float64   // NaN where nothing was measured
}

// Span is a stretch of time that a history of watts is asked for.
type Span string

// Spans of a history.
const (
	SpanHour Span = "hour" // the last 60 minutes, a point each
	SpanDay  Span = "day"  // the last 24 hours, a point a minute
	SpanYear Span = "year" // the last 365 days, a point an hour
)

// Length is how long a span is, and Step how far its points are apart.
func (s Span) Length() time.Duration {
	switch s {
	case SpanHour:
		return time.Hour
	case SpanYear:
		return 365 * 24 * time.Hour
	}
	return 24 * time.Hour
}

// Step is how far the points of a span are apart.
func (s Span) Step() time.Duration {
	if s == SpanYear {
		return time.Hour
	}
	return time.Minute
}

// Usage is what some outlets draw together.
type Usage struct {
	Watts *float64 // now; nil if no meter says
	// Part tells that some of the outlets have no meter or do not answer, so
	// that it is more than that.
	Part    bool
	Metered bool // there is a history
	TodayWh float64
	TotalWh float64
	Since   time.Time // since when TotalWh is counted
	Shared  []string  // hypervisors that the same outlets feed too
}

// Cost is what energy costs by the settings; false if they name no price.
func (s Settings) Cost(wattHours float64) (float64, bool) {
	return wattHours / 1000 * s.PriceKWh, s.PriceKWh > 0
}

// Share says what a machine's outlets draw. What an outlet draws that feeds
// several machines is counted whole, and they are named in Shared.
func (s *State) Share(st Status, hypervisor string) Usage {
	u := s.usage(st, s.Hypervisors[hypervisor].Outlets)
	for _, name := range Names(s.Hypervisors) {
		if name == hypervisor {
			continue
		}
		if slices.ContainsFunc(s.Hypervisors[name].Outlets, func(o string) bool {
			return slices.Contains(s.Hypervisors[hypervisor].Outlets, o)
		}) {
			u.Shared = append(u.Shared, name)
		}
	}
	return u
}

// Usage says what all outlets draw, each counted once.
func (s *State) Usage(st Status) Usage { return s.usage(st, Names(s.Outlets)) }

func (s *State) usage(st Status, outlets []string) Usage {
	var u Usage
	sum, known := 0.0, false
	for _, name := range outlets {
		if w := st.Outlets[name].Watts; w != nil {
			sum, known = sum+*w, true
		} else {
			u.Part = true
		}
		if m, ok := st.Meters[name]; ok {
			u.Metered = true
			u.TodayWh += m.TodayWh
			u.TotalWh += m.TotalWh
			if u.Since.IsZero() || m.Since.Before(u.Since) {
				u.Since = m.Since
			}
		}
	}
	if known {
		u.Watts = &sum
	} else {
		u.Part = false // of nothing
	}
	return u
}

// Recent adds up the last hour of some outlets; a minute in which none of them
// was measured is NaN.
func Recent(st Status, outlets []string) []float64 {
	var sum []float64
	for _, name := range outlets {
		for i, w := range st.Meters[name].Recent {
			if sum == nil {
				sum = unmeasured(len(st.Meters[name].Recent))
			}
			if i < len(sum) {
				sum[i] = plus(sum[i], w)
			}
		}
	}
	return sum
}

// AddWatts adds up histories of the same span, point by point.
func AddWatts(histories ...[]WattPoint) []WattPoint {
	var sum []WattPoint
	for _, h := range histories {
		if sum == nil {
			sum = slices.Clone(h)
			continue
		}
		for i := range min(len(sum), len(h)) {
			sum[i].Watts = plus(sum[i].Watts, h[i].Watts)
		}
	}
	return sum
}

func plus(a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return a + b
}

func unmeasured(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// Metering tells whether any outlet of a hypervisor measures.
func (s *State) Metering(st Status, outlets []string) bool {
	return slices.ContainsFunc(outlets, func(o string) bool {
		_, recorded := st.Meters[o]
		return recorded || st.Outlets[o].Watts != nil
	})
}

// Is tells whether two statuses of an outlet say the same.
func (s OutletStatus) Is(other OutletStatus) bool {
	if !sameNumber(s.Watts, other.Watts) || !sameNumber(s.EnergyWh, other.EnergyWh) {
		return false
	}
	s.Watts, s.EnergyWh, other.Watts, other.EnergyWh = nil, nil, nil, nil
	return s == other
}

func sameNumber(a, b *float64) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// Secrets of the settings: where people are told.
const (
	SecretWebhook   = "notify_webhook"    // URL that gets the message as JSON
	SecretNtfy      = "notify_ntfy"       // URL of a topic of ntfy
	SecretNtfyToken = "notify_ntfy_token" // access token for it
)

// NotifySecrets are their names.
func NotifySecrets() []string { return []string{SecretWebhook, SecretNtfy, SecretNtfyToken} }

// SettingsRef names the settings.
var SettingsRef = Ref{KindSettings, string(KindSettings)}

// Bounds of how people are told.
const (
	NotifyPerHour  = 10  // messages, unless the settings say otherwise
	NotifyPatience = 120 // seconds that something is wrong before it is told
)

// CheckNotify checks a secret of the settings: an address of a web server, or
// a token.
func CheckNotify(field, value string) error {
	if value == "" {
		return nil
	}
	if field == SecretNtfyToken {
		if isText(value, 512) && !strings.ContainsAny(value, " \t") {
			return nil
		}
		return fmt.Errorf("%s must be one word", field)
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Hostname()) || !isText(value, 2048) {
		return fmt.Errorf("%s must be a URL such as https://ntfy.sh/my-homelab", field) // its value is secret
	}
	if field == SecretNtfy && strings.Trim(u.Path, "/") == "" {
		return fmt.Errorf("%s must name a topic, such as https://ntfy.sh/my-homelab", field)
	}
	return nil
}
