package agent

import (
	"strings"
	"testing"
)

func TestSerialPath(t *testing.T) {
	const head, tail = "<domain><devices>", "</devices></domain>"
	tests := []struct{ name, devices, path, err string }{
		{"serial port", `<serial type='pty'><source path='/dev/pts/3'/></serial><console type='pty' tty='/dev/pts/3'><source path='/dev/pts/3'/></console><console type='pty'><source path='/dev/pts/4'/></console>`, "/dev/pts/3", ""},
		{"virtio console alone", `<console type='pty'><source path='/dev/pts/7'/></console>`, "/dev/pts/7", ""},
		{"serial port elsewhere", `<serial type='tcp'><source mode='bind' host='127.0.0.1' service='1'/></serial><serial type='pty'><source path='/dev/pts/9'/></serial>`, "/dev/pts/9", ""},
		{"a domain that is off", `<serial type='pty'><target port='0'/></serial>`, "", "no serial console"},
		{"none", "", "", "no serial console"},
	}
	for _, tt := range tests {
		path, err := serialPath(head + tt.devices + tail)
		if path != tt.path || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v", tt.name, path, err)
		}
	}
	if _, err := serialPath("<domain"); err == nil {
		t.Error("it read what is no XML")
	}
}
