package tui

import "strings"

// Screens are the names that [Options].Open takes alone; "vm" and "hypervisor"
// take the name of one besides.
func Screens() []string {
	names := make([]string, len(tabs))
	for i, t := range tabs {
		names[i] = strings.ToLower(t.name)
	}
	return names
}
