package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"homelab/model"
)

// A guest's agent that is not up yet is asked again soon; one that never will
// be is not asked all the time.
func TestAddressWait(t *testing.T) {
	for up, want := range map[time.Duration]time.Duration{
		time.Second: 5 * time.Second, time.Minute: 30 * time.Second, time.Hour: 5 * time.Minute,
		time.Since(time.Time{}): 5 * time.Minute, // not known
	} {
		if got := addressWait(up, agentPause); got != want {
			t.Errorf("up %s: %s, not %s", up, got, want)
		}
	}
}

func TestNeighbours(t *testing.T) {
	table := filepath.Join(t.TempDir(), "arp")
	text := "IP address       HW type     Flags       HW address            Mask     Device\n"
	for _, line := range [][3]string{
		{"203.0.113.10", "0x2", model.MAC(idA, 0)},
		{"203.0.113.11", "0x0", model.MAC(idA, 0)},
		{"203.0.113.12", "0x6", model.MAC(idA, 1)},
		{"203.0.113.13", "0x2", model.MAC(idB, 0)},
		{"203.0.113.14", "0x2", "52:54:00:00:00:01"},
	} {
		text += fmt.Sprintf("%-16s 0x1         %-11s %-21s *        br0\n", line[0], line[1], line[2])
	}
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := neighbours(table, idA); !slices.Equal(got, []string{"203.0.113.10", "203.0.113.12"}) {
		t.Errorf("%q", got)
	}
	if got := append(neighbours(table, ""), neighbours(table+"x", idA)...); got != nil {
		t.Errorf("%q", got)
	}
}
