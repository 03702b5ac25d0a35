package agent

import (
	"testing"
	"time"
)

// A guest's agent that is not up yet is asked again soon; one that never will
// be is not asked all the time.
func TestAgentPause(t *testing.T) {
	for up, want := range map[time.Duration]time.Duration{
		time.Second: 5 * time.Second, time.Minute: 30 * time.Second, time.Hour: 5 * time.Minute,
		time.Since(time.Time{}): 5 * time.Minute, // not known
	} {
		if got := agentPause(up); got != want {
			t.Errorf("up %s: %s, not %s", up, got, want)
		}
	}
}
