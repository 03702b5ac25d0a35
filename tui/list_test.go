package tui

import (
	"slices"
	"testing"
)

// TestLayout checks which columns go where it is narrow, and which get what is
// left over.
func TestLayout(t *testing.T) {
	cols := []column{
		{head: "NAME", w: 8},
		{head: "PROFILES", w: 8, most: 16, drop: 2},
		{head: "NOTE", w: 6, drop: 3},
		{head: "IP", w: 10, grow: true, drop: 1},
	}
	for _, c := range []struct {
		w    int
		want []int
	}{
		{60, []int{8, 16, 6, 24}},
		{42, []int{8, 12, 6, 10}}, // what is cut comes before what grows
		{38, []int{8, 8, 6, 10}},
		{37, []int{8, 15, 0, 10}},
		{20, []int{8, 0, 0, 10}},
		{12, []int{8, 0, 0, 0}},
		{6, []int{6, 0, 0, 0}},
	} {
		if got := layout(cols, c.w); !slices.Equal(got, c.want) {
			t.Errorf("%d columns: %v, want %v", c.w, got, c.want)
		}
	}
}
