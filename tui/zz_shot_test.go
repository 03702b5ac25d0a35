package tui

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestShots(t *testing.T) {
	sizes := [][2]int{{80, 24}, {120, 40}, {40, 12}}
	shots := []struct {
		name string
		keys []string
	}{
		{"home", nil}, {"hv", []string{"end", "up", "enter"}}, {"hvruns", []string{"end", "up", "enter", "right"}}, {"vms", []string{"2", "down"}},
		{"profiles", []string{"3"}}, {"outlets", []string{"4"}}, {"images", []string{"5"}}, {"runs", []string{"6"}}, {"history", []string{"7"}},
		{"vmform", []string{"2", "end", "enter"}}, {"run", []string{"6", "enter"}}, {"help", []string{"?"}}, {"vmdetail", []string{"2", "i"}},
		{"vmremove", []string{"2", "end", "d"}}, {"power", []string{"end", "up", "o"}}, {"outletoff", []string{"4", "down", "down", "o"}},
		{"switch", []string{"3", "end", "a"}}, {"palette", []string{":", "t", "h"}}, {"approve", []string{"end", "y"}},
	}
	for _, s := range shots {
		for _, sz := range sizes {
			d := drive(t, newLab(), sz[0], sz[1])
			for _, k := range s.keys {
				d.press(k)
				end := time.Now().Add(30 * time.Millisecond)
				d.until("", func() bool {
					go func() { time.Sleep(5 * time.Millisecond); d.msgs <- nil }()
					return time.Now().After(end)
				})
			}
			if s.name == "vmform" {
				d.press("tab", "tab", "tab", "tab", "tab", "ctrl+u", "4", "0", "9", "6")
				end := time.Now().Add(200 * time.Millisecond)
				d.until("", func() bool {
					go func() { time.Sleep(5 * time.Millisecond); d.msgs <- nil }()
					return time.Now().After(end)
				})
			}
			if err := os.WriteFile(fmt.Sprintf("/tmp/tuishots/%s-%dx%d.txt", s.name, sz[0], sz[1]), []byte(d.a.View().Content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
