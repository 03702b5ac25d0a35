package console

import (
	"strings"
	"testing"
)

func TestEscape(t *testing.T) {
	tests := []struct {
		name, typed, guest, requests string
	}{
		{"plain", "ls -l\r", "ls -l\r", ""},
		{"control keys pass", "\x03\x04\x1b[A\x00\xff", "\x03\x04\x1b[A\x00\xff", ""},
		{"leave", "ab\x1dqcd", "abcd", "q"},
		{"leave by a dot", "\x1d.", "", "q"},
		{"leave by the key again", "\x1d\x1d", "", "q"},
		{"take over, then type", "\x1dwls", "ls", "w"},
		{"size", "\x1ds", "", "s"},
		{"the key itself", "a\x1d]b", "a\x1db", ""},
		{"what is no request asks for help", "\x1dxa", "a", "?"},
		{"in one go", "a\x1dwb\x1dsc\x1d]d\x1dq", "abc\x1dd", "wsq"},
		{"q alone is the guest's", "q", "q", ""},
	}
	for _, tt := range tests {
		for _, pieces := range []int{1, len(tt.typed)} { // as one piece, and byte by byte
			var guest, requests strings.Builder
			var e escape
			size := len(tt.typed) / pieces
			for at := 0; at < len(tt.typed); at += size {
				for rest := []byte(tt.typed[at : at+size]); len(rest) > 0; {
					var data []byte
					var request byte
					data, request, rest = e.next(rest)
					guest.Write(data)
					if request != 0 {
						requests.WriteByte(request)
					}
				}
			}
			if guest.String() != tt.guest || requests.String() != tt.requests {
				t.Errorf("%s in pieces of %d: guest %q, requests %q", tt.name, size, guest.String(), requests.String())
			}
		}
	}
}
